import { readFileSync } from 'node:fs';
import adapter from '@sveltejs/adapter-auto';
import pkg from './package.json' with { type: 'json' };

export default {
	kit: {
		adapter: adapter(),
		version: { name: pkg.version, pollInterval: 60_000 }
	}
};
