import { defineConfig } from 'vite';
import react from '@vitejs/plugin-react';
import legacy from '@vitejs/plugin-legacy';

export default defineConfig(({ mode }) => ({
  plugins: mode === 'production' ? [react(), legacy()] : [react()],
}));
