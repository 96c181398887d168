import adapter from "@sveltejs/adapter-auto";
import base from "../../svelte.base.js";

export default {
	...base,
	kit: { ...base.kit, adapter: adapter() }
};
