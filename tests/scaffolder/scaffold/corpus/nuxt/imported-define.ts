import { defineNuxtConfig } from 'nuxt/config'

export default defineNuxtConfig({
  app: { head: { title: 'Shop', htmlAttrs: { lang: 'en' } } },
  modules: ['@nuxt/image'],
})
