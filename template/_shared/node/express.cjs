// The adapter of Express where the app listens itself.
'use strict';

const { toWebRequest } = require('./lib/request.cjs');
const { handleNodeRequest, requireLoader } = require('./lib/server.cjs');
const { proxyTrigger } = require('./lib/trigger.cjs');
const { proxyWebhook } = require('./lib/webhook.cjs');

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

module.exports = {
  convertExpressRequest: toWebRequest,
  proxyTriggerFromExpress: proxyTrigger,
  proxyWebhookFromExpress: proxyWebhook,
  withWorkflowStudioExpress,
};
