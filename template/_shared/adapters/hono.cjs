// The adapter of Hono where Nitro serves the app.
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
function withWorkflowStudioHono(config, options) {
  const server = {
    wrapper: 'withWorkflowStudioHono',
  };
  return wrapServer(server, config, options);
}

module.exports = {
  convertHonoRequest: toWebRequest,
  proxyTriggerFromHono: proxyTrigger,
  proxyWebhookFromHono: proxyWebhook,
  withWorkflowStudioHono,
};
