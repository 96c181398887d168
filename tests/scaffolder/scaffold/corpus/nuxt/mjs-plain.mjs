/** @type {import('nuxt/schema').NuxtConfig} */
export default {
  ssr: false,
  modules: ["@nuxt/scripts"],
};
