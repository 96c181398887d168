export default defineNuxtConfig({
  modules: [
    '@nuxtjs/i18n',
    process.env.SENTRY_DSN && '@sentry/nuxt/module',
  ].filter(Boolean) as string[],
})
