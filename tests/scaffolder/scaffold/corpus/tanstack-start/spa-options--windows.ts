import { defineConfig } from "vite";
import { tanstackStart } from "@tanstack/react-start/plugin/vite";
import react from "@vitejs/plugin-react";

export default defineConfig({
    plugins: [
        tanstackStart({
            spa: { enabled: true },
            prerender: { enabled: true, crawlLinks: true },
        }),
        react(),
    ],
});
