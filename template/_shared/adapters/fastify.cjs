// The adapter of Fastify where Nitro serves the app.
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
function withWorkflowStudioFastify(config, options) {
  const server = {
    wrapper: 'withWorkflowStudioFastify',
    serve: 'nitro-fastify.mjs',
  };
  return wrapServer(server, config, options);
}

module.exports = {
  convertFastifyRequest: toWebRequest,
  proxyTriggerFromFastify: proxyTrigger,
  proxyWebhookFromFastify: proxyWebhook,
  withWorkflowStudioFastify,
};
