import mdx from '@mdx-js/rollup';
import { reactRouter } from '@react-router/dev/vite';
import remarkFrontmatter from 'remark-frontmatter';
import { defineConfig } from 'vite';

export default defineConfig({
  plugins: [
    mdx({ remarkPlugins: [remarkFrontmatter] }),
    reactRouter()
  ],
  optimizeDeps: { include: ['react/jsx-runtime'] }
});
