import { defineConfig } from 'nitro';

// The team's own notes stay where they are.
export default defineConfig({
  serverDir: './server',
});
