import adapter from '@sveltejs/adapter-auto';
import type { Config } from '@sveltejs/kit';

export default {
	kit: { adapter: adapter() }
} satisfies Config;
