import adapter from '@sveltejs/adapter-auto';
import fallback from "@sveltejs/adapter-auto";

export default { kit: { adapter: process.env.CI ? adapter() : fallback() } };
