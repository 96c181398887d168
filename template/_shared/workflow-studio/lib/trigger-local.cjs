// Starts a run by workflow name through the app's own Workflow SDK: in local
// mode, and where the worker cannot be reached and the app may step in.
'use strict';

const { ingressError } = require('./ingress.cjs');
const { loadSdk } = require('./sdk.cjs');

/** @typedef {import('../index').TriggerRequest} TriggerRequest */
/** @typedef {import('../index').TriggerResponse} TriggerResponse */
/**
 * @typedef {object} Remembered
 * @property {string} payload
 * @property {number} until
 * @property {Promise<TriggerResponse>} answer
 */

const NAME = 'WorkflowStudioTriggerError';
const KEYS = Symbol.for('workflow-studio//trigger-keys');
const REMEMBERED_MS = 24 * 60 * 60 * 1000;
const MOST_KEYS = 10_000;

/**
 * @param {TriggerRequest} request
 * @returns {Promise<TriggerResponse>}
 */
function startInApp({ payload, idempotencyKey }) {
  if (idempotencyKey === undefined) {
    return start(payload);
  }
  const keys = rememberedKeys();
  const text = JSON.stringify(payload);
  const known = keys.get(idempotencyKey);
  if (known && known.until > Date.now()) {
    if (known.payload === text) {
      return known.answer;
    }
    return Promise.reject(
      ingressError(NAME, {
        code: 'idempotency_conflict',
        status: 409,
        message: 'This idempotency key was used for another request.',
        recovery: 'Take a new key for each thing that is to happen.',
      }),
    );
  }
  const answer = start(payload);
  keys.delete(idempotencyKey);
  keys.set(idempotencyKey, {
    payload: text,
    until: Date.now() + REMEMBERED_MS,
    answer,
  });
  // A request that failed leaves its key free.
  answer.catch(() => keys.delete(idempotencyKey));
  const [oldest] = keys.keys();
  if (keys.size > MOST_KEYS) {
    keys.delete(oldest);
  }
  return answer;
}

/**
 * The worker remembers keys in its database; this app does while it runs.
 *
 * @returns {Map<string, Remembered>}
 */
function rememberedKeys() {
  const store = /** @type {Record<symbol, any>} */ (globalThis);
  return (store[KEYS] ??= new Map());
}

/**
 * @param {TriggerRequest['payload']} payload
 * @returns {Promise<TriggerResponse>}
 */
async function start({ workflowName, input, runId }) {
  if (typeof workflowName !== 'string' || workflowName === '') {
    throw ingressError(NAME, {
      code: 'invalid_request',
      status: 422,
      message: 'payload.workflowName is missing.',
      recovery: "It is the workflow's id.",
    });
  }
  if (runId !== undefined) {
    throw ingressError(NAME, {
      code: 'not_supported_in_app',
      message: 'A run in this app cannot be given an id.',
      recovery: 'Leave runId out, and use an idempotency key.',
    });
  }
  const sdk = await loadSdk();
  // The way to the worker is JSON; what it makes of the arguments holds here,
  // too.
  const sent =
    input === undefined ? undefined : JSON.parse(JSON.stringify(input));
  const args = sent === undefined ? [] : Array.isArray(sent) ? sent : [sent];
  const run = await sdk.start({ workflowId: workflowName }, args);
  // An output that was moved away from its node_modules has no SDK to ask, but
  // for the one in the bundle, whose runs bring their World along.
  const world = run.world ?? (await sdk.getWorld());
  const { status, deploymentId } = await world.runs.get(run.runId);
  return { runId: run.runId, status, deploymentId };
}

module.exports = { startInApp };
