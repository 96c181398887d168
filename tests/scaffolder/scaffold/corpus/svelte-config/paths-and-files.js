import path from 'node:path';
import { fileURLToPath } from 'node:url';
import adapter from '@sveltejs/adapter-auto'

const here = path.dirname(fileURLToPath(import.meta.url))

export default {
  kit: {
    adapter: adapter(),
    files: { assets: 'public', lib: path.join(here, 'src/shared') },
    paths: { base: process.env.BASE_PATH ?? '', relative: false },
    outDir: '.kit',
    env: { dir: '../..', publicPrefix: 'APP_' },
  },
}
