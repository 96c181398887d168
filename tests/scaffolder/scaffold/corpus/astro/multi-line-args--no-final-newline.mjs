import { defineConfig } from 'astro/config';
import db from '@astrojs/db';

export default defineConfig(
  {
    integrations: [
      db(),
    ],
    // @ts-ignore
    devToolbar: { enabled: false },
  },
);