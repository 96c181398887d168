import { defineNitroConfig } from 'nitro/config';

export default defineNitroConfig({
  // The app answers everything.
  routes: { '/**': './src/index.ts' },
});
