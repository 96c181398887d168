// The adapter of Express where Nitro serves the app.
'use strict';

const { toWebRequest } = require('./lib/request.cjs');
const { proxyTrigger } = require('./lib/trigger.cjs');
const { proxyWebhook } = require('./lib/webhook.cjs');
const { wrapServer } = require('./nitro-server.cjs');

/** @typedef {import('./types').AdapterOptions} AdapterOptions */

/**
 * @template {Record<string, any>} T
 * @param {T} [config]
 * @param {AdapterOptions} [options]
 * @returns {T}
 */
function withWorkflowStudioExpress(config, options) {
  const server = {
    wrapper: 'withWorkflowStudioExpress',
    serve: 'nitro-express.mjs',
  };
  return wrapServer(server, config, options);
}

module.exports = {
  convertExpressRequest: toWebRequest,
  proxyTriggerFromExpress: proxyTrigger,
  proxyWebhookFromExpress: proxyWebhook,
  withWorkflowStudioExpress,
};
