import { defineConfig } from 'nitro'

const isDev = process.env.NODE_ENV === 'development'

export default defineConfig({
  serverDir: isDev ? './src/server' : './server',
  modules: [],
  devServer: { port: Number(process.env.PORT) || 3000 },
  logLevel: isDev ? 4 : 1,
})