export default defineNuxtConfig({
	$production: {
		routeRules: { "/**": { isr: true } },
	},
	$development: {
		devtools: { enabled: true },
	},
	$env: {
		staging: {
			//
		},
	},
})
