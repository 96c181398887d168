// The adapter of Fastify where the app listens itself.
'use strict';

const { toWebRequest } = require('./lib/request.cjs');
const { answerNode, isOwnPath, requireLoader } = require('./lib/server.cjs');
const { proxyTrigger } = require('./lib/trigger.cjs');
const { proxyWebhook } = require('./lib/webhook.cjs');

/**
 * @template T
 * @param {T} app
 * @returns {T}
 */
function withWorkflowStudioFastify(app) {
  requireLoader();
  // In front of everything, also of what reads bodies.
  /** @type {any} */ (app).addHook(
    'onRequest',
    async (/** @type {any} */ request, /** @type {any} */ reply) => {
      const [path] = request.raw.url.split('?');
      if (isOwnPath(path)) {
        await answerNode(request.raw, reply);
      }
    },
  );
  return app;
}

module.exports = {
  convertFastifyRequest: toWebRequest,
  proxyTriggerFromFastify: proxyTrigger,
  proxyWebhookFromFastify: proxyWebhook,
  withWorkflowStudioFastify,
};
