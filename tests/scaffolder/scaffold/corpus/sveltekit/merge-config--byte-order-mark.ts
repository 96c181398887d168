import { defineConfig, mergeConfig } from 'vite';
import { sveltekit } from '@sveltejs/kit/vite';
import base from '../vite.base';

export default mergeConfig(base, defineConfig({ plugins: [sveltekit()] }));
