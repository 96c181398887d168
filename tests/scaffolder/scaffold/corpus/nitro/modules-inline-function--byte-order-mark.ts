import { defineConfig } from 'nitro';

export default defineConfig({
  modules: [
    (nitro) => {
      nitro.hooks.hook('compiled', () => console.log('compiled'));
    },
  ],
});
