export default defineNuxtConfig({
  hooks: {
    'build:before': () => {
      console.log('before')
    },
    'pages:extend'(pages) {
      pages.push({ name: 'extra', path: '/extra', file: '~/extra.vue' })
    },
  },
})