import adapter from '@sveltejs/adapter-auto';
import { vitePreprocess } from '@sveltejs/vite-plugin-svelte';

/** @type {import('@sveltejs/kit').Config} */
const config = {
	preprocess: vitePreprocess({ script: true }),
	kit: {
		adapter: adapter(),
		csp: {
			mode: 'auto',
			directives: {
				'default-src': ['self'],
				'script-src': ['self', 'https://plausible.io'],
				'img-src': ['self', 'data:', 'blob:']
			},
			reportOnly: { 'script-src': ['self'], 'report-uri': ['/csp'] }
		}
	}
};

export default config;
