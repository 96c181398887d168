import { defineConfig } from 'nitro'

let config = { serverDir: './server', modules: [] as string[] }
if (process.env.TRACE) {
  config = { ...config, modules: ['./modules/trace'] }
}

export default defineConfig(config)
