import { defineConfig, passthroughImageService, sessionDrivers } from "astro/config";

export default defineConfig({
	image: { service: passthroughImageService(), remotePatterns: [{ protocol: "https" }] },
	session: { driver: sessionDrivers.fs(), ttl: 3600 },
	security: {
		checkOrigin: true,
	},
});
