// The adapter of Hono where the app listens itself.
'use strict';

const { toWebRequest } = require('./lib/request.cjs');
const { answer, isOwnPath, requireLoader } = require('./lib/server.cjs');
const { proxyTrigger } = require('./lib/trigger.cjs');
const { proxyWebhook } = require('./lib/webhook.cjs');

/**
 * @template T
 * @param {T} app
 * @returns {T}
 */
function withWorkflowStudioHono(app) {
  requireLoader();
  // In front of everything, also of what reads bodies.
  /** @type {any} */ (app).use(
    async (
      /** @type {any} */ context,
      /** @type {() => Promise<void>} */ next,
    ) => {
      const own = isOwnPath(context.req.path)
        ? await answer(context.req.raw)
        : undefined;
      return own ?? next();
    },
  );
  return app;
}

module.exports = {
  convertHonoRequest: toWebRequest,
  proxyTriggerFromHono: proxyTrigger,
  proxyWebhookFromHono: proxyWebhook,
  withWorkflowStudioHono,
};
