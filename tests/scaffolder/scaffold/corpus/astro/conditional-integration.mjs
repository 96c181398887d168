import { defineConfig } from 'astro/config';
import compress from 'astro-compress';
import icon from 'astro-icon';

const whenProduction = process.env.NODE_ENV === 'production';

export default defineConfig({
  integrations: [icon(), ...(whenProduction ? [compress()] : [])],
});
