import base from './nuxt.base'

export default defineNuxtConfig({
  ...base,
  srcDir: 'src/',
})
