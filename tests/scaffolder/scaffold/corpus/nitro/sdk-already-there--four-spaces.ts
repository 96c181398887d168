import { defineNitroConfig } from 'nitro/config'

export default defineNitroConfig({
    modules: ['workflow/nitro'],
    routes: { '/**': './src/index.ts' },
})
