import type { AstroUserConfig } from 'astro';

const config: AstroUserConfig = {
	base: '/docs',
	integrations: [],
};

export default config;
