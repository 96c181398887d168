import tailwindcss from '@tailwindcss/vite'
import { fileURLToPath } from 'node:url'

export default defineNuxtConfig({
  alias: { '#shared': fileURLToPath(new URL('./shared', import.meta.url)) },
  vite: {
    plugins: [tailwindcss()],
    css: { preprocessorOptions: { scss: { additionalData: '@use "~/assets/vars" as *;' } } },
  },
})
