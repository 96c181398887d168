import { defineConfig } from 'nitro/config'

export default defineConfig({
  preset: 'node-server',
  compatibilityDate: '2025-07-15',
  routeRules: {
    '/api/**': { cors: true, headers: { 'access-control-allow-methods': 'GET' } },
    '/old': { redirect: '/new' },
  },
})
