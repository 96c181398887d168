import { cp } from 'node:fs/promises';
import { reactRouter } from '@react-router/dev/vite';
import { nitro } from 'nitro/vite';
import { defineConfig } from 'vite';
import { workflow } from 'workflow/vite';

function copyManifest() {
  return {
    name: 'copy-manifest',
    async closeBundle() {
      await cp('build/client', '.output/public', { recursive: true });
    },
  };
}

export default defineConfig({
  plugins: [reactRouter(), workflow(), nitro({ serverDir: './server' }), copyManifest()],
});
