export default defineConfig({
  modules: pick(),
});
