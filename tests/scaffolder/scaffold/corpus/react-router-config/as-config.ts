import type { Config } from "@react-router/dev/config";

export default { ssr: process.env.SPA !== "1" } as Config;
