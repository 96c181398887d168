import adapter from '@astrojs/node';
import { defineConfig } from 'astro/config';

const node = { mode: 'standalone' };

export default defineConfig({ output: 'server', adapter: adapter(node) });
