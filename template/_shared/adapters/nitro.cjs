// The Nitro 3 adapter.
'use strict';

const { refusePromise, rerouteToWorker } = require('./lib/adapter.cjs');
const { nitroModule } = require('./nitro-module.cjs');
const { toWebRequest } = require('./lib/request.cjs');
const { proxyTrigger } = require('./lib/trigger.cjs');
const { proxyWebhook } = require('./lib/webhook.cjs');

/** @typedef {import('./types').AdapterOptions} AdapterOptions */

/**
 * @template {Record<string, any>} T
 * @param {T} [config]
 * @param {AdapterOptions} [options]
 * @returns {T}
 */
function withWorkflowStudioNitro(config = /** @type {T} */ ({}), options = {}) {
  refusePromise(config, 'withWorkflowStudioNitro');
  rerouteToWorker(options);
  return {
    ...config,
    modules: [...(config.modules ?? []), nitroModule()],
  };
}

/**
 * Returns the Web Request of an event of Nitro 3 or 2, or of a request itself.
 *
 * @param {any} event
 * @returns {Request}
 */
function convertNitroRequest(event) {
  return toWebRequest(event);
}

module.exports = {
  convertNitroRequest,
  proxyTriggerFromNitro: proxyTrigger,
  proxyWebhookFromNitro: proxyWebhook,
  withWorkflowStudioNitro,
};
