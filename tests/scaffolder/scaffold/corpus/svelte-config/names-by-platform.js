const names = {
	auto: '@sveltejs/adapter-auto',
	static: '@sveltejs/adapter-static'
};
const adapter = (await import(names[process.env.TARGET ?? 'auto'])).default;

export default { kit: { adapter: adapter() } };
