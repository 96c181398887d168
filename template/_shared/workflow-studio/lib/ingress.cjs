// What the app's own routes for triggers and webhooks have in common: whether
// they may be used, and the errors that they answer with.
'use strict';

const { resolveWorkflowStudioAdapterConfig } = require('./config.cjs');

/** @typedef {import('../types').AdapterOptions} AdapterOptions */
/** @typedef {import('../types').ResolvedConfig} ResolvedConfig */
/**
 * @typedef {object} Problem
 * @property {string} code
 * @property {string} message
 * @property {string} [recovery] What to do next.
 * @property {number} [status] What the worker answered with.
 * @property {unknown} [cause]
 */

/**
 * @param {'WorkflowStudioTriggerError' | 'WorkflowStudioWebhookError'} name
 * @param {Problem} problem
 * @returns {Error}
 */
function ingressError(name, { code, message, recovery, status, cause }) {
  const error = new Error([message, recovery].filter(Boolean).join(' '));
  if (cause !== undefined) {
    Object.defineProperty(error, 'cause', { value: cause });
  }
  return Object.assign(error, { name, status, code, recovery });
}

/**
 * Returns the settings for a helper of an app whose adapter mode is not
 * expressly 'passthrough': to call the helper is to choose 'proxy-trigger'.
 *
 * @param {Parameters<typeof ingressError>[0]} name
 * @param {AdapterOptions} [options]
 * @returns {ResolvedConfig}
 */
function ingressConfig(name, options) {
  if (options?.mode === 'passthrough') {
    throw ingressError(name, {
      code: 'ingress_disabled',
      message:
        "This app's adapter mode is 'passthrough', so it takes no triggers and webhooks for others.",
      recovery: "Set mode: 'proxy-trigger' in the adapter's options.",
    });
  }
  const config = resolveWorkflowStudioAdapterConfig(undefined, options);
  if (config.executionMode === 'remote' && !config.baseUrl) {
    throw ingressError(name, {
      code: 'no_worker_url',
      message: "Workflow Studio does not know the worker's URL.",
      recovery: 'Set WORKFLOW_COMPUTE_BASE_URL.',
    });
  }
  return config;
}

module.exports = { ingressConfig, ingressError };
