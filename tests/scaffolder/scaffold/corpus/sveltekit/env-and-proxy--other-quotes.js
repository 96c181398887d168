import { sveltekit } from "@sveltejs/kit/vite";
import { defineConfig, loadEnv } from "vite";

/** @type {import("vite").UserConfigFnObject} */
const config = ({ mode }) => {
	const env = loadEnv(mode, process.cwd(), "");
	return {
		plugins: [sveltekit()],
		server: {
			proxy: { "/api": env.API_URL }
		}
	};
};

export default defineConfig(config);
