export default defineNuxtConfig({
	modules: ["workflow/nuxt", "@nuxt/ui"],
	compatibilityDate: "2025-07-15",
})
