import adapter from '@sveltejs/adapter-auto';
import { sveltePreprocess } from 'svelte-preprocess';

export default {
	preprocess: sveltePreprocess({ postcss: true, scss: { prependData: "@use 'src/vars.scss' as *;" } }),
	onwarn: (warning, handler) => {
		if (warning.code.startsWith('a11y_')) return;
		handler(warning);
	},
	kit: { adapter: adapter() },
	vitePlugin: { inspector: { toggleKeyCombo: 'meta-shift', showToggleButton: 'always' } }
};
