const adapter = require("@sveltejs/adapter-auto").default;
const preprocess = require("svelte-preprocess");

/** @type {import("@sveltejs/kit").Config} */
module.exports = {
  preprocess: preprocess(),
  kit: { adapter: adapter() },
};
