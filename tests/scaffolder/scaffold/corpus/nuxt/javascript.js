export default defineNuxtConfig({
  telemetry: false,
  pages: true,
})
