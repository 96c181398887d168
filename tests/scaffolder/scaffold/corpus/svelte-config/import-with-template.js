const adapter = (await import(`@sveltejs/adapter-auto`)).default;

export default { kit: { adapter: adapter() } };
