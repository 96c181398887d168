import { defineConfig } from 'astro/config';
import { withOwn } from './config/own.mjs';

export default withOwn(defineConfig({ integrations: [] }), { strict: true });
