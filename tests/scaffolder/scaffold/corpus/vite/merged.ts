import { defineConfig, mergeConfig } from 'vite'
import react from '@vitejs/plugin-react'
import base from '../../vite.base'

export default mergeConfig(
  base,
  defineConfig({
    plugins: [react()],
  }),
)
