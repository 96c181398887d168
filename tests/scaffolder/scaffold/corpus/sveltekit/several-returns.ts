export default defineConfig((env) => {
  if (env.ssr) return {};
  return { plugins: [] };
});
