import { tanstackStart } from '@tanstack/react-start/plugin/vite'
import { defineConfig } from 'vite'
import { base } from '@acme/vite'

export default defineConfig({ ...base })
