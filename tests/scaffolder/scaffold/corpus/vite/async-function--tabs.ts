import { defineConfig } from "vite";
import { findPorts } from "./scripts/ports";

export default defineConfig(async () => {
	const [port] = await findPorts();
	return {
		server: { port, strictPort: true },
		plugins: [],
	};
});
