/* eslint-env node */
// @ts-check
/**
 * The config of the site.
 * @see https://svelte.dev/docs/kit/configuration
 */
import adapter /* was: adapter-static */ from /* the usual one */ '@sveltejs/adapter-auto'; // pinned to 3, see #412
// import adapter from '@sveltejs/adapter-vercel';

export default {
	kit: {
		adapter: adapter(/* no options */), // '@sveltejs/adapter-auto' has none
	},
};
