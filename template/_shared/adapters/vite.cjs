// The Vite adapter.
'use strict';

const { toWebRequest } = require('./lib/request.cjs');
const { proxyTrigger } = require('./lib/trigger.cjs');
const { proxyWebhook } = require('./lib/webhook.cjs');
const { wrapViteConfig } = require('./vite-nitro.cjs');

module.exports = {
  convertViteRequest: toWebRequest,
  proxyTriggerFromVite: proxyTrigger,
  proxyWebhookFromVite: proxyWebhook,
  withWorkflowStudioVite: wrapViteConfig,
};
