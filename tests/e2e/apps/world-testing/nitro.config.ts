import { defineConfig } from 'nitro';

export default defineConfig({ modules: ['workflow/nitro'] });
