import { defineConfig } from "nitro";
export default defineConfig({
    "serverDir": "./server",
    "modules": ["./modules/health"],
    "errorHandler": "./error"
});
