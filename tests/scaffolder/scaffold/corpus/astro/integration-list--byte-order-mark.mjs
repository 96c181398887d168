import mdx from '@astrojs/mdx';
import { defineConfig } from 'astro/config';

const integrations = [mdx()];

export default defineConfig({ integrations, trailingSlash: 'never' });
