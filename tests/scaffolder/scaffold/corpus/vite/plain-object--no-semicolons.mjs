import vue from "@vitejs/plugin-vue";

/** @type {import('vite').UserConfig} */
export default {
  base: "/app/",
  plugins: [vue({ template: { compilerOptions: { isCustomElement: (tag) => tag.startsWith("x-") } } })],
}
