import node from "@astrojs/node"
import react from "@astrojs/react"
import tailwindcss from "@tailwindcss/vite"
import { defineConfig, envField } from "astro/config"

export default defineConfig({
  output: "server",
  adapter: node({ mode: "middleware" }),
  integrations: [react({ include: ["**/react/*"] })],
  vite: { plugins: [tailwindcss()] },
  env: {
    schema: {
      API_URL: envField.string({ context: "client", access: "public", optional: true }),
    },
  },
})
