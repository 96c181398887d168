import { defineConfig } from 'nitro'

export default defineConfig({
  modules: [
    // first: tracing
    './modules/tracing',
    /* './modules/disabled', */
    './modules/auth', // needs tracing
  ],
})
