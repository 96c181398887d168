// The SvelteKit adapter.
'use strict';

const { rerouteToWorker } = require('./lib/adapter.cjs');
const { toWebRequest } = require('./lib/request.cjs');
const { proxyTrigger } = require('./lib/trigger.cjs');

/** @typedef {import('./types').AdapterOptions} AdapterOptions */

const PLUGIN = {
  name: 'workflow-studio',
  // The package is a folder of the app, which Vite would treat as source; it is
  // CommonJS and loaded by name at run time, so it must stay outside.
  config: () => ({ ssr: { external: ['workflow-studio'] } }),
};

/**
 * @param {any} [config] A Vite config, or a promise or function of one.
 * @param {AdapterOptions} [options]
 * @returns {Promise<any>}
 */
async function withWorkflowStudioSvelteKit(config = {}, options = {}) {
  rerouteToWorker(options);
  const base = await config;
  if (typeof base === 'function') {
    return async (/** @type {any} */ env) => addPlugin(await base(env));
  }
  return addPlugin(base);
}

/**
 * @param {any} config
 */
function addPlugin(config) {
  return { ...config, plugins: [...(config.plugins ?? []), PLUGIN] };
}

/**
 * Returns the Web Request of a request event, or of a request itself.
 *
 * @param {any} event
 * @returns {Request}
 */
function convertSvelteKitRequest(event) {
  return toWebRequest(event.request ?? event);
}

module.exports = {
  convertSvelteKitRequest,
  proxyTriggerFromSvelteKit: proxyTrigger,
  withWorkflowStudioSvelteKit,
};
