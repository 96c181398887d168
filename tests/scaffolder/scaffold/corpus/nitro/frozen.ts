import { defineConfig } from 'nitro';

export default Object.freeze(defineConfig({ serverDir: './server' }));
