// The World calls of the app: what belongs together is one request.
//
// The SDK creates a run and queues it in one turn (source: @workflow/core 4.8.9,
// start.js), and a hook is resumed by four calls, one after the other: the hook,
// its run, the event, the wake-up of the run (resume-hook.js). Here the run of a
// hook comes with the hook, and an event with the message that follows it is one
// batch, which the worker stores in one transaction.
'use strict';

const { LATEST } = require('./active.cjs');
const { encode } = require('./cbor.cjs');
const { envelope } = require('./queue.cjs');

/** @typedef {import('./world.cjs').Call} Call */
/** @typedef {import('./connection.cjs').BatchedResult} BatchedResult */
/**
 * @typedef {object} Created
 * @property {Record<string, any>} event Parameters of `events.create`.
 * @property {(value: any) => void} resolve
 * @property {(error: unknown) => void} reject
 */
/**
 * @typedef {object} Known
 * @property {string} workflowName
 * @property {string} deploymentId
 * @property {any} traceCarrier
 */
/**
 * @typedef {object} Woken
 * @property {Uint8Array} message
 * @property {any} value
 * @property {number} until
 */

const WRITE = Object.freeze({ idempotent: false });
const FINISHED = Object.freeze(['completed', 'failed', 'cancelled']);
/** Runs of which is remembered what a wake-up needs. */
const MAX_KNOWN = 1_000;
/** How long the SDK may take from the event to the wake-up. */
const WOKEN_MS = 1_000;

/**
 * @param {Pick<import('./connection.cjs').Connection, 'call' | 'batch'>} connection
 * @returns {Call}
 */
function createCalls({ call, batch }) {
  /** @type {Map<string, Created>} Runs whose message is about to come. */
  const created = new Map();
  /** @type {Map<string, Known>} */
  const known = new Map();
  /** @type {Map<string, Woken>} Wake-ups that were sent with their event. */
  const woken = new Map();
  /** @type {Map<string, any>} Runs as they were read just now. */
  const fresh = new Map();

  /** @param {any} run */
  const remember = ({
    runId,
    workflowName,
    deploymentId,
    executionContext,
  }) => {
    if (known.size >= MAX_KNOWN) {
      known.delete(/** @type {string} */ (known.keys().next().value));
    }
    const traceCarrier = executionContext?.traceCarrier;
    known.set(runId, { workflowName, deploymentId, traceCarrier });
  };

  /**
   * Have the next `runs.get` be answered with this, if it comes before anything
   * else happens: whoever reads the run then could have read it now.
   *
   * @param {any} run
   */
  const keepForThisTurn = (run) => {
    fresh.set(run.runId, run);
    process.nextTick(() => fresh.delete(run.runId));
  };

  /** @type {Call} */
  const createRun = (method, params, options) =>
    new Promise((resolve, reject) => {
      const { runId } = params;
      const entry = { event: params, resolve, reject };
      created.set(runId, entry);
      setImmediate(() => {
        if (created.get(runId) === entry) {
          created.delete(runId);
          call(method, params, options).then(resolve, reject);
        }
      });
    });

  /**
   * @param {Created} entry
   * @param {Record<string, any>} message Parameters of `queue.publish`.
   */
  const startRun = async ({ event, resolve, reject }, message) => {
    try {
      const [run, queued] = await batch(startingCalls(event, message));
      if (run.error) {
        reject(run.error);
      } else {
        resolve(run.value);
      }
      return unwrap(queued);
    } catch (error) {
      reject(error);
      throw error;
    }
  };

  /**
   * @param {Record<string, any>} params Of `events.create`.
   * @param {Known} run
   */
  const resumeRun = async (params, run) => {
    const { runId } = params;
    const { workflowName, deploymentId, traceCarrier } = run;
    // As the SDK itself will make it.
    const message = envelope(
      `__wkf_workflow_${workflowName}`,
      { runId, traceCarrier },
      { deploymentId },
    );
    const [received, queued] = await batch([
      { method: 'events.create', params },
      { method: 'queue.publish', params: message, isRepeatable: true },
    ]);
    const value = unwrap(received);
    if (!queued.error) {
      const until = Date.now() + WOKEN_MS;
      woken.set(runId, {
        message: encode(message),
        value: queued.value,
        until,
      });
    }
    return value;
  };

  /**
   * Returns what a wake-up was answered with that was sent with its event.
   *
   * @param {Record<string, any>} params Of `queue.publish`.
   */
  const takeWoken = (params) => {
    const found = woken.get(params.runId);
    woken.delete(params.runId);
    const isIt =
      found &&
      Date.now() < found.until &&
      Buffer.compare(found.message, encode(params)) === 0;
    return isIt ? found.value : undefined;
  };

  /** @type {Call} */
  const createEvent = (method, params, options) => {
    const { runId, event } = params;
    // What is recorded from now on needs a wake-up of its own.
    woken.delete(runId);
    if (event.eventType === 'run_created' && runId && !created.has(runId)) {
      return createRun(method, params, options);
    }
    const run = known.get(runId);
    return event.eventType === 'hook_received' && run
      ? resumeRun(params, run)
      : call(method, params, options);
  };

  /** @type {Call} */
  const publish = async (method, params, options) => {
    const entry = created.get(params.runId);
    if (entry) {
      created.delete(params.runId);
      return startRun(entry, params);
    }
    return takeWoken(params) ?? call(method, params, options);
  };

  /** @type {Call} */
  const findHook = async (method, params, options) => {
    if (params.resolveData !== undefined) {
      return call(method, params, options);
    }
    const { run, ...hook } = await call(
      method,
      { ...params, withRun: true },
      options,
    );
    if (run) {
      remember(run);
      keepForThisTurn(run);
    }
    return hook;
  };

  /** @type {Call} */
  const readRun = async (method, params, options) => {
    const { runId, ...more } = params;
    const now = fresh.get(runId);
    if (now && Object.keys(more).length === 0) {
      return now;
    }
    const run = await call(method, params, options);
    if (params.resolveData === undefined) {
      remember(run);
      if (FINISHED.includes(run.status)) {
        // `run.returnValue` reads it once more, for its key.
        keepForThisTurn(run);
      }
    }
    return run;
  };

  /** @type {Record<string, Call>} */
  const special = {
    'events.create': createEvent,
    'queue.publish': publish,
    'hooks.getByToken': findHook,
    'runs.get': readRun,
  };
  return (method, params, options) =>
    (special[method] ?? call)(method, params, options);
}

/**
 * What starts a run: that there is one, and its first message.
 *
 * The message of the SDK has all that is in the event once more, in case that
 * gets lost. A worker that takes the alias of its active deployment stores both
 * or neither, so the message need not say more than that there is something to
 * do. Both can be repeated: there is a run by that id already, and waking it
 * once more changes nothing.
 *
 * @param {Record<string, any>} event
 * @param {Record<string, any>} message
 * @returns {import('./connection.cjs').BatchedCall[]}
 */
function startingCalls(event, message) {
  const { runId } = event;
  const data = event.event.eventData;
  const isRepeatable = data?.deploymentId === LATEST;
  /** @type {import('./connection.cjs').BatchedCall} */
  const queued = { method: 'queue.publish', params: message };
  if (isRepeatable) {
    const { deploymentId, ...rest } = message;
    const { traceCarrier } = data.executionContext ?? {};
    queued.params = {
      ...rest,
      body: encode({ runId, traceCarrier }),
      isWake: true,
    };
    queued.isRepeatable = true;
    queued.alone = message;
  }
  return [{ method: 'events.create', params: event, isRepeatable }, queued];
}

/**
 * @param {BatchedResult} result
 * @returns {any}
 */
function unwrap({ value, error }) {
  if (error) {
    throw error;
  }
  return value;
}

module.exports = { createCalls };
