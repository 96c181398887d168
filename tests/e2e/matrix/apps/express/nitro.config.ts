import { defineNitroConfig } from 'nitro/config';

export default defineNitroConfig({
  // The app answers everything.
  routes: { '/**': { handler: './src/index.ts', format: 'node' } },
});
