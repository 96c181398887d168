const name = process.env.ADAPTER ?? '@sveltejs/adapter-auto';
const { default: adapter } = await import(name);

export default { kit: { adapter: adapter() } };
