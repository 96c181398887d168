import type { Config } from '@react-router/dev/config';

export default {
  future: {
    v8_viteEnvironmentApi: process.env.ENVIRONMENT_API === '1'
  }
} satisfies Config;
