import { defineConfig } from "nitro";

export default defineConfig({
	modules: [
		"nitro-cloudflare-dev", // local only
		"./modules/cron",
	],
	compatibilityDate: "2025-01-01",
});
