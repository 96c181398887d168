'use strict';

/**
 * @typedef {(message: unknown, meta: {attempt: number, queueName: string, messageId: string}) =>
 *   Promise<void | {timeoutSeconds: number}>} Handler
 */

const RETRY_MS = 100;
const MAX_ATTEMPTS = 10;

/** The handlers that the SDK registers; a message goes to them directly. */
function createQueue() {
  /** @type {Map<string, Handler>} */
  const handlers = new Map();
  /** @type {Map<string, string>} */
  const inFlight = new Map();
  let count = 0;

  /**
   * The SDK registers its handlers when a route is loaded, which the first
   * request does.
   *
   * @param {string} queueName
   * @returns {Promise<Handler>}
   */
  async function handlerOf(queueName) {
    const step = queueName.startsWith('__wkf_step_');
    const prefix = step ? '__wkf_step_' : '__wkf_workflow_';
    let handler = handlers.get(prefix);
    if (!handler) {
      const route = `/.well-known/workflow/v1/${step ? 'step' : 'flow'}`;
      const url = `http://localhost:${process.env.PORT}${route}`;
      await (await fetch(url, { method: 'POST' })).text();
      handler = handlers.get(prefix);
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
      setImmediate(async () => {
        await deliver(queueName, message, messageId);
        if (key !== undefined) inFlight.delete(key);
      });
      return { messageId };
    },
    /**
     * @param {string} prefix
     * @param {Handler} handler
     */
    createQueueHandler: (prefix, handler) => {
      handlers.set(prefix, handler);
      return async () => new Response('Messages do not come by HTTP here.');
    },
  };
}

/** @param {number} ms */
function pause(ms) {
  return new Promise((resolve) => setTimeout(resolve, ms));
}

module.exports = { createQueue };
