// The adapter of Express where the app listens itself.
'use strict';

const { toWebRequest } = require('./lib/request.cjs');
const { handleNodeRequest, requireLoader } = require('./lib/server.cjs');
const { proxyTrigger } = require('./lib/trigger.cjs');

/**
 * @template T
 * @param {T} app
 * @returns {T}
 */
function withWorkflowStudioExpress(app) {
  requireLoader();
  // In front of everything, also of what reads bodies.
  /** @type {any} */ (app).use(handleNodeRequest);
  return app;
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
