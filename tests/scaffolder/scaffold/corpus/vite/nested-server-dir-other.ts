import { nitro } from 'nitro/vite'
import { defineConfig } from 'vite'

export default defineConfig({
  nitro: { serverDir: './backend', preset: 'node-server' },
  plugins: [nitro()],
})
