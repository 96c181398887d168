const { default: adapter } = require('@sveltejs/adapter-auto');

module.exports = { kit: { adapter: adapter() } };
