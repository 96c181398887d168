import type { Config } from '@react-router/dev/config';
import { flags } from './flags';

export default {
	ssr: true,
	future: { ...flags },
} satisfies Config;
