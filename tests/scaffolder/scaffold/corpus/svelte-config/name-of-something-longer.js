import adapter from '@sveltejs/adapter-auto-or-not';

export default { kit: { adapter: adapter() } };
