import { reactRouter } from '@react-router/dev/vite'
import { defineConfig } from 'vite'
import { shared } from '../../config/vite'

export default defineConfig({ plugins: shared.concat(reactRouter()) })
