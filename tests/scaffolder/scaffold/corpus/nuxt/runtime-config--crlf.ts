export default defineNuxtConfig({
  ssr: true,
  runtimeConfig: {
    // only on the server
    apiSecret: process.env.API_SECRET ?? '',
    public: {
      apiBase: '/api', // also in the browser
    },
  },
  nitro: {
    preset: 'node-server',
    storage: { redis: { driver: 'redis', url: process.env.REDIS_URL } },
  },
})
