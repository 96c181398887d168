import { defineConfig } from './config';

export default defineConfig({
  ssr: false,
});
