// Starts a run by workflow name, for apps that want an ingress route without
// importing the workflow (adapter mode 'proxy-trigger').
'use strict';

const { randomUUID } = require('node:crypto');
const { setTimeout: sleep } = require('node:timers/promises');

const { workerHeaders } = require('./config.cjs');
const { ingressConfig, ingressError } = require('./ingress.cjs');
const { startInApp } = require('./trigger-local.cjs');

/** @typedef {import('../types').AdapterOptions} AdapterOptions */
/** @typedef {import('../types').ResolvedConfig} ResolvedConfig */
/** @typedef {import('../index').TriggerRequest} TriggerRequest */
/** @typedef {import('../index').TriggerResponse} TriggerResponse */
/**
 * @typedef {object} Attempt
 * @property {TriggerResponse} [value]
 * @property {Error} [error]
 * @property {boolean} [retry]
 * @property {boolean} [arrived] Whether the worker may have got the request.
 */

const NAME = 'WorkflowStudioTriggerError';
const BACKOFF_MS = 200;
const MAX_BACKOFF_MS = 5_000;
// With these there was no connection, so nothing has arrived.
const NOT_SENT = new Set([
  'ECONNREFUSED',
  'ENOTFOUND',
  'EAI_AGAIN',
  'EHOSTUNREACH',
  'ENETUNREACH',
  'UND_ERR_CONNECT_TIMEOUT',
]);

/**
 * Starts a run where the app's workflows run: on the worker, or in this app.
 *
 * @param {TriggerRequest} request
 * @param {AdapterOptions} [options]
 * @returns {Promise<TriggerResponse>}
 */
async function proxyTrigger(request, options) {
  const config = ingressConfig(NAME, options);
  if (config.executionMode === 'local') {
    return startInApp(request);
  }
  const { error, value, arrived } = await startOnWorker(config, request);
  if (value) {
    return value;
  }
  // What may have arrived must not run a second time in this app.
  if (config.failPolicy === 'fallback-local' && arrived === false) {
    return startInApp(request);
  }
  throw error;
}

/**
 * Asks the worker until it answers. One idempotency key for all attempts: a run
 * that was started, but whose answer was lost, is answered again.
 *
 * @param {ResolvedConfig} config
 * @param {TriggerRequest} request
 * @returns {Promise<Attempt>}
 */
async function startOnWorker(config, { payload, idempotencyKey }) {
  const init = {
    method: 'POST',
    headers: {
      'content-type': 'application/json',
      'idempotency-key': idempotencyKey ?? randomUUID(),
      ...workerHeaders(config),
    },
    body: JSON.stringify(payload),
    redirect: /** @type {const} */ ('manual'),
    cache: /** @type {const} */ ('no-store'),
  };
  let arrived = false;
  for (let attempt = 0; ; attempt += 1) {
    const outcome = await exchange(config, init);
    arrived ||= outcome.arrived !== false;
    if (!outcome.retry || attempt >= config.retries) {
      return { ...outcome, arrived };
    }
    const ceiling = Math.min(BACKOFF_MS * 2 ** attempt, MAX_BACKOFF_MS);
    await sleep(ceiling / 2 + Math.random() * (ceiling / 2));
  }
}

/**
 * @param {ResolvedConfig} config
 * @param {RequestInit} init
 * @returns {Promise<Attempt>}
 */
async function exchange(config, init) {
  const signal = AbortSignal.timeout(config.timeoutMs);
  /** @type {Response} */
  let response;
  /** @type {any} */
  let body;
  try {
    response = await fetch(`${config.baseUrl}/v1/runs`, { ...init, signal });
    const text = await response.text();
    body = parse(text);
  } catch (cause) {
    const { code, message } = describe(config, signal, cause);
    const error = ingressError(NAME, {
      code: signal.aborted ? 'timeout' : 'unreachable',
      message,
      recovery: signal.aborted
        ? 'See whether it is overloaded, or raise execution.timeoutMs.'
        : 'Check that it runs, and WORKFLOW_COMPUTE_BASE_URL.',
      cause,
    });
    return { error, retry: true, arrived: !NOT_SENT.has(code) };
  }
  if (response.ok && typeof body?.runId === 'string') {
    return { value: body };
  }
  const error = ingressError(NAME, {
    code: typeof body?.code === 'string' ? body.code : 'unexpected_response',
    status: response.status,
    message:
      typeof body?.message === 'string'
        ? body.message
        : `Something at ${config.baseUrl} that is not a worker answered HTTP ${response.status}.`,
    recovery:
      typeof body?.recovery === 'string'
        ? body.recovery
        : body?.code
          ? undefined
          : 'WORKFLOW_COMPUTE_BASE_URL must be the URL of the worker itself.',
  });
  return { error, retry: [502, 503, 504].includes(response.status) };
}

/**
 * @param {string} text
 * @returns {any}
 */
function parse(text) {
  try {
    return JSON.parse(text);
  } catch {
    return undefined;
  }
}

/**
 * @param {ResolvedConfig} config
 * @param {AbortSignal} signal
 * @param {any} error
 */
function describe(config, signal, error) {
  const cause = error?.cause?.errors?.[0] ?? error?.cause ?? error;
  const code = String(cause?.code ?? '');
  return {
    code,
    message: signal.aborted
      ? `The worker at ${config.baseUrl} did not answer within ${config.timeoutMs} ms.`
      : `The worker at ${config.baseUrl} could not be reached: ${code || cause?.message || cause}.`,
  };
}

module.exports = { proxyTrigger };
