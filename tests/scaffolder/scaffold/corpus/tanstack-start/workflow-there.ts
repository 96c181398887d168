import { tanstackStart } from '@tanstack/react-start/plugin/vite'
import viteReact from '@vitejs/plugin-react'
import { nitro } from 'nitro/vite'
import { defineConfig } from 'vite'
import { workflow } from 'workflow/vite'

export default defineConfig({
  plugins: [workflow(), tanstackStart(), nitro({ preset: 'node-server' }), viteReact()],
})
