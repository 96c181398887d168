export default defineNuxtConfig({
  extends: ['./layers/base', ['github:acme/theme', { install: true }]],
  components: [{ path: '~/components', pathPrefix: false }],
})
