import { defineConfig } from "nitro";

const config = defineConfig({
  serverDir: "./server",
  experimental: { tasks: true },
  scheduledTasks: { "0 * * * *": ["cleanup"] },
});

export default config;
