import { defineConfig } from "astro/config";
import rehypeSlug from "rehype-slug";
import remarkToc from "remark-toc";

export default defineConfig({
  markdown: {
    remarkPlugins: [[remarkToc, { heading: "contents" }]],
    rehypePlugins: [rehypeSlug],
    shikiConfig: { themes: { light: "github-light", dark: "github-dark" } },
  },
  // no trailing comma here
  prefetch: true
});