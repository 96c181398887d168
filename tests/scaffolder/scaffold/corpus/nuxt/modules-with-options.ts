export default defineNuxtConfig({
  modules: [
    ['@nuxtjs/google-fonts', { families: { Roboto: [400, 700] } }],
    '@pinia/nuxt',
    '@vueuse/nuxt',
  ],
})
