import tailwindcss from '@tailwindcss/vite';
import { tanstackStart } from '@tanstack/react-start/plugin/vite';
import viteReact from '@vitejs/plugin-react';
import { defineConfig } from 'vite';

export default defineConfig(({ mode }) => {
    return {
        plugins: [tailwindcss(), tanstackStart(), viteReact()],
        build: { minify: mode !== 'development' },
    };
});
