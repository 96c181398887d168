export const locales = ['en', 'de']

export default defineNuxtConfig({
  i18n: { locales },
  modules: ['@nuxtjs/i18n'],
})
