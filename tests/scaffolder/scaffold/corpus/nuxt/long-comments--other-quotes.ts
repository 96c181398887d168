/**
 * The configuration of the shop.
 *
 * @see https://nuxt.com/docs/api/nuxt-config
 */
export default defineNuxtConfig({
  /* ---------------------------------- modules ---------------------------------- */
  modules: [
    // UI
    "@nuxt/ui", // v4
    // Data
    "@nuxtjs/apollo", /* graphql */
    // "@nuxtjs/axios",
  ],

  /* ----------------------------------- build ----------------------------------- */
  build: { transpile: ["gsap"] },
})
