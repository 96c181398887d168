// The adapter of Express where Nitro serves the app.
'use strict';

const { toWebRequest } = require('./lib/request.cjs');
const { proxyTrigger } = require('./lib/trigger.cjs');
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

/**
 * Returns the Web Request of a request of Express.
 *
 * @param {any} request
 * @returns {Request}
 */
function convertExpressRequest(request) {
  return toWebRequest(request);
}

module.exports = {
  convertExpressRequest,
  proxyTriggerFromExpress: proxyTrigger,
  withWorkflowStudioExpress,
};
