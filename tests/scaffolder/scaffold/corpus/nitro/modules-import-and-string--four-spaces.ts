import { defineConfig } from "nitro";
import otel from "./modules/otel";

export default defineConfig({
    modules: [otel, "nitro-cloudflare-dev"],
    serverDir: "./server",
});
