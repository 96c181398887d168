import { defineConfig } from 'nitro';
import { common } from './modules';

export default defineConfig({
  modules: common.concat(['./modules/a']),
});
