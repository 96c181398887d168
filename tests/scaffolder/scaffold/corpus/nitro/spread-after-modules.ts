import { defineConfig } from 'nitro';
import base from './nitro.base';

export default defineConfig({
  ...base,
  modules: [...base.modules, './modules/own'],
});
