import { defineConfig } from 'nitro';
const modules = ['./a'] as string[];
const config = { modules, preset: 'node-server' };
export default defineConfig(config);
