const { default: adapter } = await import('@sveltejs/adapter-auto');

export default {
	kit: { adapter: adapter() }
};
