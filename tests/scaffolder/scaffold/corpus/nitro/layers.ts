import { defineConfig } from 'nitro'

const layers = ['./layers/base', './layers/shop']

export default defineConfig({
  extends: layers,
  modules: layers.map((layer) => `${layer}/module`),
})
