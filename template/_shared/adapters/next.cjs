// The Next.js adapter.
'use strict';

const { refusePromise, rerouteToWorker } = require('./lib/adapter.cjs');
const { toWebRequest } = require('./lib/request.cjs');
const { proxyTrigger } = require('./lib/trigger.cjs');
const { proxyWebhook } = require('./lib/webhook.cjs');

/** @typedef {import('./types').AdapterOptions} AdapterOptions */
/** @typedef {Record<string, any>} NextConfig */
/** @typedef {(phase: string, context: any) => NextConfig | Promise<NextConfig>} NextConfigFunction */

// The World is loaded by name from the current directory, so a standalone
// server needs the package beside it: the link and what it points to.
const TRACED = ['./workflow-studio/**/*', './node_modules/workflow-studio'];

/**
 * @param {NextConfig | NextConfigFunction} [config]
 * @param {AdapterOptions} [options]
 * @returns {NextConfigFunction}
 */
function withWorkflowStudioNext(config = {}, options = {}) {
  refusePromise(config, 'withWorkflowStudioNext');
  // Now and not in the function below: withWorkflow, which stands around this
  // call, looks at WORKFLOW_TARGET_WORLD as soon as it is called itself.
  rerouteToWorker(options);
  return async (phase, context) => {
    const base =
      typeof config === 'function' ? await config(phase, context) : config;
    const traced = base.outputFileTracingIncludes ?? {};
    return {
      ...base,
      outputFileTracingIncludes: {
        ...traced,
        '/*': [...new Set([...(traced['/*'] ?? []), ...TRACED])],
      },
    };
  };
}

/**
 * A NextRequest is a Request; one made by hand or by an older adapter may not be.
 *
 * @param {Request} request
 * @returns {Request}
 */
function convertNextRequest(request) {
  return toWebRequest(request);
}

module.exports = {
  convertNextRequest,
  proxyTriggerFromNext: proxyTrigger,
  proxyWebhookFromNext: proxyWebhook,
  withWorkflowStudioNext,
};
