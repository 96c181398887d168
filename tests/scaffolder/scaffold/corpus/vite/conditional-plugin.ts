import { visualizer } from 'rollup-plugin-visualizer'
import { defineConfig } from 'vite'
import solid from 'vite-plugin-solid'

export default defineConfig(({ command }) => ({
  plugins: [solid(), command === 'build' && visualizer()].filter(Boolean),
}))
