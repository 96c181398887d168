import adapter from '@sveltejs/adapter-auto';

export default {
	kit: { adapter: adapter(), appDir: '_\u0061pp' },
	extensions: ['.svelte', `.${'svx'}`],
	compilerOptions: { cssHash: ({ hash, css }) => `ü-${hash(css)}` }
};
