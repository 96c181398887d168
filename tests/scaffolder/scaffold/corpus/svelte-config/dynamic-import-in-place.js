export default {
	kit: {
		adapter: (await import('@sveltejs/adapter-auto')).default()
	}
};
