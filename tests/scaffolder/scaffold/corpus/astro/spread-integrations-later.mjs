import { defineConfig } from 'astro/config';
import { extra } from './config/extra.mjs';

export default defineConfig({ site: 'https://a.example', ...extra });
