import type { Config } from '@react-router/dev/config';
import future from './future';

export default { future } satisfies Config;
