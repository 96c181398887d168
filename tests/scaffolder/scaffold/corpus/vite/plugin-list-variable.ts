import { defineConfig, type PluginOption } from 'vite'
import react from '@vitejs/plugin-react'
import checker from 'vite-plugin-checker'

const plugins: PluginOption[] = [react(), checker({ typescript: true })]

export default defineConfig({ plugins, build: { outDir: 'dist' } })
