import { defineConfig } from 'astro/config';

const node = process.version;

export default defineConfig({
  vite: { define: { __NODE__: JSON.stringify(node) } },
});
