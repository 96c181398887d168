import { defineConfig } from 'vite'

export default [defineConfig({ base: '/a' }), defineConfig({ base: '/b' })]
