import { reactRouter } from "@react-router/dev/vite";
import { nitro } from "nitro/vite";
import { defineConfig } from "vite";

export default defineConfig({
  plugins: [reactRouter(), nitro()],
  nitro: { serverDir: "./server" },
});