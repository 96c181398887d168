const key = 'modules'

export default defineNuxtConfig({
  [key]: ['@nuxt/ui'],
})
