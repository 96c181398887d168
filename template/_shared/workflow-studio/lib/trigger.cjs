// Starts a run by workflow name, for apps that want an ingress route without
// importing the workflow (adapter mode 'proxy-trigger').
'use strict';

const { randomUUID } = require('node:crypto');

const { resolveWorkflowStudioAdapterConfig } = require('./config.cjs');

/** @typedef {import('../types').AdapterOptions} AdapterOptions */

/**
 * @param {import('../index').TriggerRequest} request
 * @param {AdapterOptions} [options]
 * @returns {Promise<import('../index').TriggerResponse>}
 */
async function proxyTrigger({ payload, idempotencyKey }, options) {
  const config = resolveWorkflowStudioAdapterConfig(undefined, options);
  if (!config.baseUrl) {
    throw new Error(
      "Workflow Studio does not know the worker's URL. Set WORKFLOW_COMPUTE_BASE_URL.",
    );
  }
  const response = await fetch(`${config.baseUrl}/v1/runs`, {
    method: 'POST',
    headers: {
      'content-type': 'application/json',
      'idempotency-key': idempotencyKey ?? randomUUID(),
      ...(config.apiKey ? { authorization: `Bearer ${config.apiKey}` } : {}),
    },
    body: JSON.stringify(payload),
    redirect: 'manual',
    cache: 'no-store',
    signal: AbortSignal.timeout(config.timeoutMs),
  });
  const body = await response.json().catch(() => undefined);
  if (!response.ok || typeof body?.runId !== 'string') {
    const message =
      body?.message ?? `The worker answered HTTP ${response.status}.`;
    throw Object.assign(
      new Error([message, body?.recovery].filter(Boolean).join(' ')),
      {
        name: 'WorkflowStudioTriggerError',
        status: response.status,
        code: body?.code,
      },
    );
  }
  return body;
}

module.exports = { proxyTrigger };
