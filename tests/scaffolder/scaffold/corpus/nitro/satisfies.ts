import type { NitroConfig } from 'nitro/types'

export default {
  compressPublicAssets: true,
  storage: {
    // redis in production
    data: { driver: 'fs', base: './.data/kv' },
  },
} satisfies NitroConfig
