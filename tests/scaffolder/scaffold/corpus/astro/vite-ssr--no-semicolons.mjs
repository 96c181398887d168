import svelte from '@astrojs/svelte'
import { defineConfig, fontProviders } from 'astro/config'

export default defineConfig({
  integrations: [
    svelte(),
    {
      name: 'own-integration',
      hooks: {
        'astro:config:setup': ({ updateConfig }) => {
          updateConfig({ vite: { ssr: { external: ['sharp'] } } })
        },
      },
    },
  ],
  experimental: { fonts: [{ provider: fontProviders.google(), name: 'Roboto', cssVariable: '--font-roboto' }] },
})
