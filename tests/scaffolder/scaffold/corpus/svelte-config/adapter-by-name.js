import auto from '@sveltejs/adapter-auto';
import cloudflare from '@sveltejs/adapter-cloudflare';

const adapters = { auto, cloudflare };
const wanted = process.env.ADAPTER || 'auto';

export default {
	kit: { adapter: adapters[wanted]() }
};
