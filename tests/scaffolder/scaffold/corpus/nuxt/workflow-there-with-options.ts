export default defineNuxtConfig({
  modules: [['workflow/nuxt', { typescriptPlugin: false }]],
})
