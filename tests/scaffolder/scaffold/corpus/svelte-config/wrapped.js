import adapter from '@sveltejs/adapter-auto';
import { withSentryKit } from './scripts/sentry.js';

export default withSentryKit({ kit: { adapter: adapter() } }, { project: 'shop' });
