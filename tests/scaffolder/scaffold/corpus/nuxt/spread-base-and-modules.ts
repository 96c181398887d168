import base from './nuxt.base'

export default defineNuxtConfig({
  ...base,
  modules: [...base.modules, '@nuxt/test-utils/module'],
})
