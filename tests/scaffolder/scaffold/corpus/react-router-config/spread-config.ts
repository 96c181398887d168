import type { Config } from '@react-router/dev/config';
import { base } from '@acme/react-router';

export default {
  ...base,
  ssr: true,
} satisfies Config;
