const names = ['a', 'b']

export default defineNuxtConfig({
  modules: names.map((name) => `~/modules/${name}`),
})
