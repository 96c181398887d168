import { defineConfig } from "vite"
import { tanstackStart } from "@tanstack/react-start/plugin/vite"
import viteReact from "@vitejs/plugin-react"

export default defineConfig({
	plugins: [
		tanstackStart({ tsr: { routesDirectory: "src/app" } }),
		viteReact({ babel: { plugins: [["babel-plugin-react-compiler", { target: "19" }]] } }),
	],
	ssr: { noExternal: ["streamdown"] }, /* css */
})
