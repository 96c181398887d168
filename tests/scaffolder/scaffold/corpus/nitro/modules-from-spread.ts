import base from './base';
export default defineConfig({
  ...base,
});
