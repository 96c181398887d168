'use strict';
/**
 * The World calls of one delivery: what belongs together is sent together.
 *
 * The SDK records that there is a step and then queues it, and it records how
 * a step ended and then queues a replay (source: @workflow/core 4.8.9,
 * suspension-handler.js and step-handler.js). It does nothing with what these
 * calls return. So the event is kept until its message comes, a few microtasks
 * later, and both go to the worker in one frame, which stores them in one
 * transaction: half the round trips, and no moment at which one is stored and
 * the other is not. What comes in one turn shares a frame, too: all steps of a
 * fan-out, and the messages that each replay sends again for steps that have
 * not ended.
 *
 * The SDK is not kept waiting for that, or for the end of a run, since after
 * these calls it has little left to do: mostly the handler returns in the same turn, and what the
 * delivery leaves to be stored goes with its outcome, in one frame that needs
 * no answer. The worker stores it in the transaction that ends the delivery.
 *
 * The worker may have made the first call of a delivery already, when it leased
 * the message. Then the answer has come with the delivery.
 *
 * Before the delivery counts as done, everything is stored. What is refused
 * fails the delivery, which is then made again.
 */

/**
 * How long an event waits for its message before it is sent alone. On a busy
 * machine a replay with many steps takes its time to come to their messages.
 */
const PATIENCE_MS = 1000;

/** Messages in a frame: the worker stores a frame at once, and others wait. */
const MAX_MESSAGES = 64;

/** Payload bytes in a frame; a larger event is sent as a call of its own. */
const MAX_SIZE = 1024 * 1024;

const ENDS = new Set(['step_completed', 'step_failed']);

/** Calls that have nothing to do with the steps whose events are kept. */
const INDEPENDENT = new Set([
  'encryption.key',
  'streams.close',
  'streams.write',
  'hook_created',
  'hook_disposed',
  'wait_completed',
  'wait_created',
]);

// Bound early, since bundles may put others in their place.
const { clearTimeout, setImmediate, setTimeout } = globalThis;

/**
 * @typedef {(method: string, params: Record<string, any>, signal?: AbortSignal) => Promise<any>} Call
 * @typedef {{ eventType: string, correlationId: string, answer: { value?: any, error?: unknown } }} FirstCall
 * @typedef {{ event: Record<string, any>, size: number }} Held
 * @typedef {{ event?: Record<string, any>, size: number, message?: Record<string, any> }} Pair
 * @typedef {{ method: string, params: Record<string, any> }} BatchedCall
 */

/**
 * @param {string} kind What the delivery is: `workflow` or `step`.
 * @param {any} params Of `events.create`.
 * @returns {string | undefined} Names the message that will follow the event.
 */
function keyOf(kind, { runId, event }) {
  if (kind === 'workflow' && event.eventType === 'step_created') {
    return `${runId} ${event.correlationId}`;
  }
  return kind === 'step' && ENDS.has(event.eventType) ? runId : undefined;
}

/**
 * @param {any} message Parameters of `queue.publish`.
 * @returns {string | undefined} The key of the event that it follows, if any.
 */
function followedKey({ runId, stepId, isWake }) {
  if (stepId !== undefined) return `${runId} ${stepId}`;
  return isWake ? runId : undefined;
}

/** @param {any} event Parameters of `events.create`. */
function sizeOf({ event }) {
  const { input, output, result } = event.eventData ?? {};
  let size = 0;
  for (const data of [input, output, result]) size += data?.byteLength ?? 0;
  return size;
}

/** @param {any} error */
const isConflict = (error) => error?.name === 'EntityConflictError';

/**
 * @param {Pair[]} pairs
 * @returns {{ batches: Pair[][], large: Pair[] }} Those that share a frame, and
 *   those that are too large to.
 */
function framesOf(pairs) {
  /** @type {Pair[][]} */
  const batches = [];
  /** @type {Pair[]} */
  const large = [];
  let size = 0;
  for (const pair of pairs) {
    if (pair.size > MAX_SIZE) {
      large.push(pair);
      continue;
    }
    const last = batches[batches.length - 1];
    const isFull =
      !last || last.length >= MAX_MESSAGES || size + pair.size > MAX_SIZE;
    if (isFull) batches.push([pair]);
    else last.push(pair);
    size = isFull ? pair.size : size + pair.size;
  }
  return { batches, large };
}

/**
 * @param {Pair[]} batch
 * @returns {BatchedCall[]}
 */
function callsOf(batch) {
  return batch.flatMap(({ event, message }) => [
    ...(event ? [{ method: 'events.create', params: event }] : []),
    ...(message ? [{ method: 'queue.publish', params: message }] : []),
  ]);
}

/**
 * @param {BatchedCall} call
 * @param {any} error What it was refused with.
 */
function isDone({ method, params }, error) {
  if (!error) return true;
  if (method !== 'events.create') return false;
  // So it is there already, or the run has ended, which is all the SDK wants
  // to know.
  const isEnd = params.event.eventType === 'run_completed';
  return isConflict(error) || (isEnd && error.name === 'RunExpiredError');
}

/**
 * @param {object} delivery
 * @param {string} delivery.kind `workflow` or `step`.
 * @param {FirstCall} [delivery.first] The call that was made already.
 * @param {Call} call
 * @param {(wire: unknown) => Error} errorFromWire
 */
function createCalls({ kind, first }, call, errorFromWire) {
  /** @type {Map<string, Held>} */
  const held = new Map();
  /** @type {Map<string, Promise<void>>} Events that were sent alone. */
  const sent = new Map();
  /** @type {Pair[]} */
  const pairs = [];
  /** @type {NodeJS.Timeout | undefined} */
  let timer;
  /** @type {unknown} */
  let failure;
  let hasFailed = false;
  /** @type {Set<Promise<void>>} */
  const underWay = new Set();

  /**
   * Have the delivery wait for a call, and fail if it is refused.
   *
   * @param {Promise<unknown>} storing
   * @returns {Promise<void>} Never rejects.
   */
  const track = (storing) => {
    const stored = storing.then(
      () => {},
      (error) => {
        // So it is there already, which is all the SDK wants to know.
        if (isConflict(error)) return;
        failure ??= error;
        hasFailed = true;
      },
    );
    underWay.add(stored);
    void stored.then(() => underWay.delete(stored));
    return stored;
  };

  /** Send the events alone whose messages have not come. */
  const sendHeld = () => {
    clearTimeout(timer);
    timer = undefined;
    for (const [key, { event }] of held) {
      sent.set(key, track(call('events.create', event)));
    }
    held.clear();
  };

  /** @param {Pair} pair */
  const sendApart = async ({ event, message }) => {
    await call('events.create', /** @type {any} */ (event)).catch((error) => {
      if (!isConflict(error)) throw error;
    });
    if (message) await call('queue.publish', message);
  };

  /** @param {Pair[]} batch */
  const sendTogether = async (batch) => {
    const calls = callsOf(batch);
    const { results } = await call('batch', { calls });
    for (const [n, { error }] of results.entries()) {
      if (!isDone(calls[n], error)) throw errorFromWire(error);
    }
  };

  /** @param {{ batches: Pair[][], large: Pair[] }} frames */
  const send = ({ batches, large }) => {
    for (const pair of large) void track(sendApart(pair));
    for (const batch of batches) void track(sendTogether(batch));
  };

  const sendPairs = () => send(framesOf(pairs.splice(0)));

  const quiet = async () => {
    while (underWay.size > 0) await Promise.all(underWay);
  };

  const settled = async () => {
    sendHeld();
    sendPairs();
    await quiet();
  };

  /** @param {Pair} pair */
  const add = (pair) => {
    pairs.push(pair);
    if (pairs.length === 1) setImmediate(sendPairs);
  };

  /**
   * @param {string} key
   * @param {Record<string, any>} message
   */
  const join = async (key, message) => {
    const { event, size } = held.get(key) ?? { event: undefined, size: 0 };
    held.delete(key);
    await sent.get(key);
    add({ event, size, message });
    return {};
  };

  return {
    /** @type {Call} */
    call: async (method, params, signal) => {
      if (method === 'events.create') {
        const { eventType, correlationId } = params.event;
        if (
          first &&
          first.eventType === eventType &&
          first.correlationId === correlationId
        ) {
          const { answer } = first;
          first = undefined;
          if (answer.error) throw errorFromWire(answer.error);
          return answer.value;
        }
        const key = keyOf(kind, /** @type {any} */ (params));
        if (key !== undefined && !held.has(key) && !sent.has(key)) {
          held.set(key, { event: params, size: sizeOf(params) });
          timer ??= setTimeout(sendHeld, PATIENCE_MS);
          return {};
        }
        if (eventType === 'run_completed') {
          const size = sizeOf(/** @type {any} */ (params));
          if (size <= MAX_SIZE) {
            add({ event: params, size });
            return {};
          }
        }
      }
      if (method === 'queue.publish') {
        const key = followedKey(/** @type {any} */ (params));
        if (key !== undefined) return join(key, params);
      } else if (
        held.size + pairs.length + underWay.size > 0 &&
        !INDEPENDENT.has(params.event?.eventType ?? method)
      ) {
        // It may depend on what is kept.
        await settled();
      }
      return call(method, params, signal);
    },

    /** Wait until everything is stored, or refused. */
    settled,

    /**
     * Wait until everything is stored but for what can go with the outcome.
     *
     * @returns {Promise<BatchedCall[] | undefined>} What can.
     * @throws What something was refused with.
     */
    rest: async () => {
      sendHeld();
      const frames = framesOf(pairs.splice(0));
      const last = frames.batches.pop();
      send(frames);
      await quiet();
      if (!hasFailed) return last && callsOf(last);
      if (last) await track(sendTogether(last));
      throw failure;
    },
  };
}

module.exports = { createCalls };
