'use strict';

/**
 * @typedef {(message: unknown, meta: {attempt: number, queueName: string, messageId: string}) =>
 *   Promise<void | {timeoutSeconds: number}>} Handler
 */

const RETRY_MS = 100;
const MAX_ATTEMPTS = 10;
/**
 * How many deliveries of a kind are worked on at a time; as many as on a worker.
 * More at a time are slower: each replay has a context of its own.
 */
const PLACES = Object.freeze({ flow: 16, step: 64 });

/** @param {string} queueName */
function kindOf(queueName) {
  return queueName.startsWith('__wkf_step_') ? 'step' : 'flow';
}

/**
 * @typedef {object} Line Deliveries, in the order of their messages.
 * @property {(() => Promise<void>)[]} waiting
 * @property {number} free
 */

/**
 * @param {number} free
 * @returns {Line}
 */
function lineOf(free) {
  return { waiting: [], free };
}

/**
 * Begin what there is a place for.
 *
 * @param {Line} line
 */
function advance(line) {
  while (line.free > 0) {
    const work = line.waiting.shift();
    if (!work) return;
    line.free -= 1;
    void work().then(() => {
      line.free += 1;
      setImmediate(advance, line);
    });
  }
}

/** The handlers that the SDK registers; a message goes to them directly. */
function createQueue() {
  /** @type {Map<string, Handler>} */
  const handlers = new Map();
  /** @type {Map<string, string>} */
  const inFlight = new Map();
  const lines = { flow: lineOf(PLACES.flow), step: lineOf(PLACES.step) };
  let count = 0;

  /**
   * The SDK registers its handlers when a route is loaded, which the first
   * request does.
   *
   * @param {string} queueName
   * @returns {Promise<Handler>}
   */
  async function handlerOf(queueName) {
    const kind = kindOf(queueName);
    let handler = handlers.get(kind);
    if (!handler) {
      const route = `/.well-known/workflow/v1/${kind}`;
      const url = `http://localhost:${process.env.PORT}${route}`;
      await (await fetch(url, { method: 'POST' })).text();
      handler = handlers.get(kind);
    }
    if (!handler) throw new Error(`Nothing takes the queue ${queueName}`);
    return handler;
  }

  /**
   * @param {string} queueName
   * @param {unknown} message
   * @param {string} messageId
   */
  async function deliver(queueName, message, messageId) {
    for (let attempt = 1; attempt <= MAX_ATTEMPTS;) {
      try {
        const handler = await handlerOf(queueName);
        const meta = { attempt, queueName, messageId };
        const later = await handler(message, meta);
        if (typeof later?.timeoutSeconds !== 'number') return;
        attempt = 2;
        await pause(later.timeoutSeconds * 1000);
      } catch (error) {
        console.error(`${messageId} of ${queueName} failed`, error);
        attempt += 1;
        await pause(RETRY_MS);
      }
    }
  }

  return {
    getDeploymentId: async () => 'memory',
    /**
     * @param {string} queueName
     * @param {unknown} message
     * @param {{idempotencyKey?: string}} [options]
     */
    queue: async (queueName, message, options) => {
      const key = options?.idempotencyKey;
      const known = key === undefined ? undefined : inFlight.get(key);
      if (known) return { messageId: known };
      count += 1;
      const messageId = `msg_${count}`;
      if (key !== undefined) inFlight.set(key, messageId);
      const line = lines[kindOf(queueName)];
      line.waiting.push(async () => {
        await deliver(queueName, message, messageId);
        if (key !== undefined) inFlight.delete(key);
      });
      setImmediate(advance, line);
      return { messageId };
    },
    /**
     * @param {string} prefix
     * @param {Handler} handler
     */
    createQueueHandler: (prefix, handler) => {
      handlers.set(kindOf(prefix), handler);
      return async () => new Response('Messages do not come by HTTP here.');
    },
  };
}

/** @param {number} ms */
function pause(ms) {
  return new Promise((resolve) => setTimeout(resolve, ms));
}

module.exports = { createQueue };
