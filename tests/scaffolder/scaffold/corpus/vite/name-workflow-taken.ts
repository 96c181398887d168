import { defineConfig } from 'vite'
import { workflow } from './build/workflow'

export default defineConfig({
  plugins: [workflow('ci')],
})
