const isDev = process.env.NODE_ENV === 'development'

export default defineNuxtConfig({
    modules: ['@nuxt/content', ...(isDev ? ['@nuxt/devtools'] : [])],
    sourcemap: isDev,
})
