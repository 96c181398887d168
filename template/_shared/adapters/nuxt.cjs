// The Nuxt adapter.
'use strict';

const { refusePromise, rerouteToWorker } = require('./lib/adapter.cjs');
const { toWebRequest } = require('./lib/request.cjs');
const { proxyTrigger } = require('./lib/trigger.cjs');
const { nitroModule } = require('./nitro-module.cjs');

/** @typedef {import('./types').AdapterOptions} AdapterOptions */

/**
 * @template {Record<string, any>} T
 * @param {T} [config]
 * @param {AdapterOptions} [options]
 * @returns {T}
 */
function withWorkflowStudioNuxt(config = /** @type {T} */ ({}), options = {}) {
  refusePromise(config, 'withWorkflowStudioNuxt');
  rerouteToWorker(options);
  return {
    ...config,
    modules: [...(config.modules ?? []), nuxtModule],
  };
}

/**
 * @param {unknown} _options
 * @param {any} nuxt
 */
function nuxtModule(_options, nuxt) {
  nuxt.hook('nitro:init', (/** @type {any} */ nitro) => {
    nitroModule().setup(nitro);
  });
}

/**
 * Returns the Web Request of an event handler's event, or of a request itself.
 *
 * @param {any} event
 * @returns {Request}
 */
function convertNuxtRequest(event) {
  return toWebRequest(event);
}

module.exports = {
  convertNuxtRequest,
  proxyTriggerFromNuxt: proxyTrigger,
  withWorkflowStudioNuxt,
};
