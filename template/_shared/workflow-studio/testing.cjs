// Runs as tests handle them: waited for without waiting for time.
'use strict';

const { exchange } = require('./lib/exchange.cjs');
const { loadSdk } = require('./lib/sdk.cjs');
const { startTestWorker } = require('./lib/test-worker.cjs');

/** @typedef {import('./testing').AnyRun} AnyRun */
/** @typedef {import('./testing').Hook} Hook */
/** @typedef {import('./testing').SkippedTimer} SkippedTimer */
/** @typedef {import('./testing').WaitOptions} WaitOptions */

const TIMEOUT_MS = 30_000;
const LOOK_MS = 50;
const LONGEST_POLL_MS = 20_000;
const ANSWER_MS = 30_000;

/**
 * Waits until a run has ended, and returns what its workflow returned.
 *
 * @param {AnyRun} run
 * @param {WaitOptions & { skipSleeps?: boolean }} [options]
 * @returns {Promise<any>}
 */
async function waitForRun(run, options = {}) {
  const { timeout = TIMEOUT_MS, skipSleeps = true } = options;
  const id = idOf(run);
  const deadline = Date.now() + timeout;
  for (;;) {
    const left = deadline - Date.now();
    const longest = skipSleeps ? LOOK_MS : LONGEST_POLL_MS;
    const now = await look(id, Math.max(0, Math.min(left, longest)));
    if (hasEnded(now)) {
      return resultOf(run);
    }
    if (left <= 0) {
      throw await failure(now, `is still ${now.status} after ${timeout} ms`);
    }
    while (skipSleeps && (await skipOnce(now))) {
      // What comes after a sleep may be another one.
    }
  }
}

/**
 * Waits until a run has nothing to do but wait for time, and ends the sleep or
 * pause that would be over first.
 *
 * @param {AnyRun} run
 * @param {WaitOptions} [options]
 * @returns {Promise<SkippedTimer>}
 */
function skipSleep(run, options) {
  const id = idOf(run);
  return until(id, options, 'does not sleep', () => skip(id));
}

/**
 * Waits until a run waits for a hook.
 *
 * @param {AnyRun} run
 * @param {WaitOptions & { token?: string }} [options]
 * @returns {Promise<Hook>}
 */
function waitForHook(run, options = {}) {
  const id = idOf(run);
  const { token } = options;
  const wanted =
    token === undefined ? 'any hook' : `a hook with the token ${token}`;
  return until(id, options, `does not wait for ${wanted}`, async () => {
    const hooks = await hooksOf(id);
    return hooks.find((hook) => token === undefined || hook.token === token);
  });
}

/**
 * Waits until a run waits for a hook, and hands that a payload, a JSON value.
 *
 * @param {AnyRun} run
 * @param {unknown} payload
 * @param {WaitOptions & { token?: string }} [options]
 */
async function resumeHook(run, payload, options) {
  const { hookId } = await waitForHook(run, options);
  const body = { runId: idOf(run), hookId, payload };
  await call('POST', '/v1/runs/resume', body);
}

/**
 * @template T
 * @param {string} id
 * @param {WaitOptions | undefined} options
 * @param {string} problem
 * @param {() => Promise<T | undefined>} find
 * @returns {Promise<T>}
 */
async function until(id, options, problem, find) {
  const deadline = Date.now() + (options?.timeout ?? TIMEOUT_MS);
  for (;;) {
    const found = await find();
    if (found !== undefined) {
      return found;
    }
    const now = await look(id, LOOK_MS);
    if (hasEnded(now) || Date.now() > deadline) {
      throw await failure(now, `${problem}; it is ${now.status}`);
    }
  }
}

/**
 * Skips the time to the next timer of a run, or of one that code has started
 * since.
 *
 * @param {any} now
 * @returns {Promise<boolean>}
 */
async function skipOnce(now) {
  if (await skip(now.runId)) {
    return true;
  }
  const query = new URLSearchParams([
    ['status', 'pending'],
    ['status', 'running'],
    ['createdAfter', now.createdAt],
    ['limit', '1000'],
  ]);
  const { data } = await call('GET', `/v1/runs?${query}`);
  for (const other of data) {
    // Runs that tests start have the key that started them.
    const nested = !other.createdBy && other.runId !== now.runId;
    if (nested && (await skip(other.runId))) {
      return true;
    }
  }
  return false;
}

/**
 * @param {string} id
 * @returns {Promise<SkippedTimer | undefined>}
 */
async function skip(id) {
  const { skipped } = await call('POST', `/v1/runs/${id}/skip`);
  return skipped ?? undefined;
}

/**
 * @param {string} id
 * @param {number} waitMs
 */
function look(id, waitMs) {
  const query = `resolveData=none&waitMs=${Math.round(waitMs)}`;
  return call('GET', `/v1/runs/${id}?${query}`);
}

/**
 * @param {string} id
 * @returns {Promise<Hook[]>}
 */
async function hooksOf(id) {
  return (await call('GET', `/v1/runs/${id}/hooks`)).data;
}

/**
 * @param {any} now
 */
function hasEnded({ status }) {
  return ['completed', 'failed', 'cancelled'].includes(status);
}

/**
 * @param {AnyRun} run
 */
async function resultOf(run) {
  if (typeof run !== 'string') {
    return run.returnValue;
  }
  const { getRun } = await loadSdk();
  return getRun(run).returnValue;
}

/**
 * @param {AnyRun} run
 */
function idOf(run) {
  return encodeURIComponent(typeof run === 'string' ? run : run.runId);
}

/**
 * Says what a run did.
 *
 * @param {any} now
 * @param {string} problem
 */
async function failure(now, problem) {
  const listed = await call(
    'GET',
    `/v1/runs/${now.runId}/steps?sortOrder=asc&limit=1000`,
  );
  const steps = listed.data.map(
    (/** @type {any} */ step) =>
      `  step ${nameOf(step.stepName)}: ${step.status}${step.error ? `, ${step.error.message}` : ''}`,
  );
  const hooks = (await hooksOf(now.runId)).map(
    (hook) => `  waits for the hook ${hook.token}`,
  );
  const name = `The run ${now.runId} of ${nameOf(now.workflowName)}`;
  return new Error([`${name} ${problem}.`, ...steps, ...hooks].join('\n'));
}

/**
 * @param {string} id Such as `workflow//./workflows/order//fulfilOrder`.
 */
function nameOf(id) {
  return id.split('//').at(-1);
}

/**
 * @param {string} method
 * @param {string} path
 * @param {unknown} [body]
 * @returns {Promise<any>}
 */
async function call(method, path, body) {
  const { WORKFLOW_COMPUTE_BASE_URL, WORKFLOW_COMPUTE_API_KEY } = process.env;
  if (!WORKFLOW_COMPUTE_BASE_URL) {
    throw new Error(
      'Workflow Studio: there is no worker for these tests. Add workflowStudio() of workflow-studio/vitest to the plugins of vitest.config.ts.',
    );
  }
  // Not `fetch`, which tests like to replace.
  const answer = await exchange(`${WORKFLOW_COMPUTE_BASE_URL}${path}`, {
    method,
    headers: new Headers({
      authorization: `Bearer ${WORKFLOW_COMPUTE_API_KEY}`,
      'content-type': 'application/json',
    }),
    body: body === undefined ? null : Buffer.from(JSON.stringify(body)),
    timeoutMs: ANSWER_MS,
  });
  const text = await answer.text();
  if (!answer.ok) {
    throw new Error(`Workflow Studio: ${problemIn(text, answer.status)}`);
  }
  return JSON.parse(text);
}

/**
 * @param {string} text
 * @param {number} status
 */
function problemIn(text, status) {
  try {
    const { message, recovery } = JSON.parse(text);
    return recovery ? `${message} ${recovery}` : message;
  } catch {
    return `the worker answered ${status}.`;
  }
}

module.exports = {
  resumeHook,
  skipSleep,
  startTestWorker,
  waitForHook,
  waitForRun,
};
