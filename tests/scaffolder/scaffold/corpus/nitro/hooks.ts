import { fileURLToPath } from 'node:url';
import { defineConfig } from 'nitro';

export default defineConfig({
  alias: {
    '~': fileURLToPath(new URL('./src', import.meta.url)),
  },
  hooks: {
    'build:before'(nitro) {
      nitro.logger.info('Building…');
    },
  },
  serverDir: './server',
});
