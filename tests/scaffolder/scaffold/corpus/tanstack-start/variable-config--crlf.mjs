import { tanstackStart } from '@tanstack/react-start/plugin/vite'
import { defineConfig } from 'vite'

/** @type {import('vite').UserConfig} */
const config = {
  plugins: [tanstackStart()],
}

export default defineConfig(config)
