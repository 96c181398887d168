import { defineConfig } from 'astro/config'

export default defineConfig({
    i18n: {
        locales: ['es', 'en', 'pt-br'],
        defaultLocale: 'en',
        routing: { prefixDefaultLocale: false },
    },
    redirects: { '/old': '/new', '/blog/[...slug]': '/articles/[...slug]' },
})
