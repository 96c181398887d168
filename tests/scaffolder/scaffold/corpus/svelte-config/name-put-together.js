const { default: adapter } = await import(
	`@sveltejs/adapter-${process.env.ADAPTER ?? 'auto'}`
);

export default { kit: { adapter: adapter() } };
