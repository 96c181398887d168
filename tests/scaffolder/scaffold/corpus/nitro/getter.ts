import { defineConfig } from 'nitro'

export default defineConfig({
  get modules() {
    return ['./modules/a']
  },
})
