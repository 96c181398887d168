const config = defineNuxtConfig({
  modules: ["nuxt-auth-utils"],
});

export default config;
