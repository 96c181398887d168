import { defineConfig } from 'vitest/config';

export default defineConfig({
  test: {
    include: ['suite/world.test.mjs'],
    setupFiles: ['suite/setup.mjs'],
    reporters: ['json'],
  },
});
