'use strict';
/**
 * The World calls of one delivery: what belongs together is sent together.
 *
 * The SDK records that there is a step and then queues it, and it records how
 * a step ended and then queues a replay (source: @workflow/core 4.8.9,
 * suspension-handler.js and step-handler.js). It does nothing with what the
 * first of these calls returns. So the event is kept until its message comes,
 * a few microtasks later, and both go to the worker in one frame, which stores
 * them in one transaction: half the round trips, and no moment at which one is
 * stored and the other is not. What comes in one turn shares a frame, too: all
 * steps of a fan-out, and the messages that each replay sends again for steps
 * that have not ended.
 *
 * The worker may have made the first call of a delivery already, when it leased
 * the message. Then the answer has come with the delivery.
 *
 * Before the delivery is reported as done, everything is stored. An event that
 * is refused is reported where the SDK would have heard of it next: by its
 * message, or by the outcome of the delivery.
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
 * @typedef {{ event?: Record<string, any>, size: number, message: Record<string, any>, resolve: (value: any) => void, reject: (error: unknown) => void }} Pair
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
  const { input, result } = event.eventData ?? {};
  return (input?.byteLength ?? 0) + (result?.byteLength ?? 0);
}

/** @param {any} error */
const isConflict = (error) => error?.name === 'EntityConflictError';

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
  let pairs = [];
  let timer;
  /** @type {unknown} */
  let failure;
  let hasFailed = false;
  let waiting = 0;
  /** @type {(() => void)[]} */
  let onQuiet = [];

  /**
   * @template T
   * @param {Promise<T>} work
   * @returns {Promise<T>}
   */
  const counted = (work) => {
    waiting += 1;
    const done = () => {
      waiting -= 1;
      if (waiting > 0) return;
      const callbacks = onQuiet;
      onQuiet = [];
      for (const callback of callbacks) callback();
    };
    work.then(done, done);
    return work;
  };

  /** Send the events alone whose messages have not come. */
  const sendHeld = () => {
    clearTimeout(timer);
    timer = undefined;
    for (const [key, { event }] of held) {
      const stored = call('events.create', event).then(
        () => {},
        (error) => {
          // So it is there already, which is all the SDK wants to know.
          if (isConflict(error)) return;
          [hasFailed, failure] = [true, error];
          throw error;
        },
      );
      stored.catch(() => {});
      sent.set(key, counted(stored));
    }
    held.clear();
  };

  /** @param {Pair} pair */
  const sendApart = async ({ event, message }) => {
    await call('events.create', /** @type {any} */ (event)).catch((error) => {
      if (!isConflict(error)) throw error;
    });
    return call('queue.publish', message);
  };

  /** @param {Pair[]} batch */
  const sendTogether = async (batch) => {
    const calls = batch.flatMap(({ event, message }) => [
      ...(event ? [{ method: 'events.create', params: event }] : []),
      { method: 'queue.publish', params: message },
    ]);
    try {
      const { results } = await call('batch', { calls });
      for (const { event, resolve, reject } of batch) {
        const refused = event && results.shift().error;
        const { value, error } = results.shift();
        if (refused && !isConflict(refused)) reject(errorFromWire(refused));
        else if (error) reject(errorFromWire(error));
        else resolve(value);
      }
    } catch (error) {
      for (const { reject } of batch) reject(error);
    }
  };

  const sendPairs = () => {
    const all = pairs;
    pairs = [];
    /** @type {Pair[]} */
    let batch = [];
    let size = 0;
    const send = () => {
      if (batch.length > 0) void sendTogether(batch);
      [batch, size] = [[], 0];
    };
    for (const pair of all) {
      if (pair.size > MAX_SIZE) {
        sendApart(pair).then(pair.resolve, pair.reject);
        continue;
      }
      if (batch.length >= MAX_MESSAGES || size + pair.size > MAX_SIZE) send();
      batch.push(pair);
      size += pair.size;
    }
    send();
  };

  /**
   * @param {Held | undefined} kept
   * @param {Record<string, any>} message
   */
  const join = (kept, message) =>
    new Promise((resolve, reject) => {
      const { event, size } = kept ?? { event: undefined, size: 0 };
      pairs.push({ event, size, message, resolve, reject });
      if (pairs.length === 1) setImmediate(sendPairs);
    });

  return {
    /** @type {Call} */
    call: async (method, params, signal) => {
      if (method === 'events.create') {
        const { eventType, correlationId } = params.event;
        if (
          first?.eventType === eventType &&
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
      }
      if (method === 'queue.publish') {
        const key = followedKey(/** @type {any} */ (params));
        if (key !== undefined) {
          const kept = held.get(key);
          held.delete(key);
          await sent.get(key);
          return counted(join(kept, params));
        }
      } else if (
        held.size > 0 &&
        !INDEPENDENT.has(params.event?.eventType ?? method)
      ) {
        // It may depend on what is kept.
        sendHeld();
        await Promise.allSettled(sent.values());
      }
      return call(method, params, signal);
    },

    /**
     * Wait until everything is stored.
     *
     * @throws What an event was refused with that was sent alone.
     */
    settled: async () => {
      sendHeld();
      if (waiting > 0) {
        await new Promise((resolve) => onQuiet.push(() => resolve(undefined)));
      }
      if (hasFailed) throw failure;
    },
  };
}

module.exports = { createCalls };
