import adapter from '@sveltejs/adapter-auto';

/** @type {import('@sveltejs/kit').Config} */
export default {
	compilerOptions: { experimental: { async: true } },
	kit: {
		adapter: adapter(),
		experimental: { remoteFunctions: true, tracing: { server: true }, instrumentation: { server: true } }
	}
};
