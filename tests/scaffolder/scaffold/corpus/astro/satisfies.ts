import type { AstroUserConfig } from "astro";

export default {
  site: "https://acme.dev",
  server: { port: 4321, host: true },
} satisfies AstroUserConfig;
