import { sveltekit } from '@sveltejs/kit/vite';
import { defineConfig } from 'vite';
import { shared } from './vite.shared';

export default defineConfig({
	plugins: [...shared(), sveltekit()],
	build: { sourcemap: true }
});
