import { defineConfig } from 'vite'
import react from '@vitejs/plugin-react'

const plugins = [react()]
plugins.push({ name: 'own' })

export default defineConfig({ plugins })
