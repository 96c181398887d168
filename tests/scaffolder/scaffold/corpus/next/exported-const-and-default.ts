import type { NextConfig } from "next"

export const runtime = "nodejs"

const config = {
  compiler: { removeConsole: process.env.NODE_ENV === "production" ? { exclude: ["error"] } : false },
} satisfies NextConfig

export { runtime as serverRuntime }
export default config
