import partytown from '@astrojs/partytown'
import { defineConfig } from 'astro/config'

export default defineConfig({
  integrations: [
    process.env.GA_ID ? partytown({ config: { forward: ['dataLayer.push'] } }) : undefined
  ]
})
