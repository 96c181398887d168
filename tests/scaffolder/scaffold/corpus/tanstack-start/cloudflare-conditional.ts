import { cloudflare } from '@cloudflare/vite-plugin'
import { tanstackStart } from '@tanstack/react-start/plugin/vite'
import { defineConfig } from 'vite'

export default defineConfig({
  plugins: [
    process.env.DOCKER ? null : cloudflare({ viteEnvironment: { name: 'ssr' } }),
    tanstackStart(),
  ],
})
