import * as auto from '@sveltejs/adapter-auto';

export default { kit: { adapter: auto.default() } };
