import type { UserConfig } from "vite";
import tailwindcss from "@tailwindcss/vite";

export default {
  plugins: [tailwindcss()],
  build: { target: "es2022" },
} satisfies UserConfig;
