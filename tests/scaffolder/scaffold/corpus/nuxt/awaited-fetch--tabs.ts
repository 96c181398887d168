import { loadLocales } from './i18n/locales'

const locales = await loadLocales()

export default defineNuxtConfig({
	modules: ['@nuxtjs/i18n'],
	i18n: { locales, defaultLocale: 'en', strategy: 'prefix_except_default' },
})
