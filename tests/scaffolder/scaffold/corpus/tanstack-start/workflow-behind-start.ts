import { tanstackStart } from '@tanstack/react-start/plugin/vite'
import { nitro } from 'nitro/vite'
import { defineConfig } from 'vite'
import { workflow } from 'workflow/vite'

export default defineConfig({
  plugins: [
    tanstackStart(),
    workflow(),
    nitro(),
  ],
})
