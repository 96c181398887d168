import { reactRouter } from "@react-router/dev/vite"
import { sentryReactRouter } from "@sentry/react-router"
import { reactRouterDevTools } from "react-router-devtools"
import { defineConfig } from "vite"
import { envOnlyMacros } from "vite-env-only"

const MODE = process.env.NODE_ENV

export default defineConfig((config) => ({
  build: {
    target: "es2022",
    cssMinify: MODE === "production",
    sourcemap: true,
  },
  plugins: [
    envOnlyMacros(),
    reactRouterDevTools(),
    reactRouter(),
    MODE === "production" && process.env.SENTRY_AUTH_TOKEN
      ? sentryReactRouter({ authToken: process.env.SENTRY_AUTH_TOKEN }, config)
      : null,
  ],
}))
