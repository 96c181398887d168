import { sveltekit } from "@sveltejs/kit/vite";
import { defineConfig } from "vitest/config";

export default defineConfig(({ mode }) => {
  const isTest = mode === "test";
  return {
    plugins: [isTest && null, sveltekit()].filter(Boolean),
    test: { include: ["src/**/*.test.ts"] },
  };
});
