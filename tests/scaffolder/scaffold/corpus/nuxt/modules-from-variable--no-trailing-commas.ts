const modules = ['@nuxt/fonts', '@nuxt/icon']

export default defineNuxtConfig({
  modules,
  future: { compatibilityVersion: 4 }
})
