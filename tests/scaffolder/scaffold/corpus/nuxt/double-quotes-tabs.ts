export default defineNuxtConfig({
	modules: [
		"@nuxt/eslint",
		"@nuxtjs/color-mode",
	],
	colorMode: { classSuffix: "" },
});
