import auto from '@sveltejs/adapter-auto';
import node from '@sveltejs/adapter-node';

export default {
	kit: { adapter: process.env.DOCKER ? node({ out: 'dist' }) : auto() }
};
