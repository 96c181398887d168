export default defineNuxtConfig({
    modules: [
        '@nuxtjs/tailwindcss',
        (_options, nuxt) => {
            nuxt.hook('vite:extendConfig', (config) => {
                config.plugins?.push({ name: 'own' });
            });
        },
    ],
});
