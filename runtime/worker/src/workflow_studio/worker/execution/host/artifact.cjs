'use strict';
/** The artifact: its bundles, and how a delivery or a webhook call reaches them. */

const path = require('node:path');
const fs = require('node:fs');
const { withoutNeedlessNames } = require('./names.cjs');

const ROUTES = Object.freeze({ workflow: 'flow', step: 'step' });
/** Where the SDK's routes are; no request goes there, but bundles see the URL. */
const ROUTE_BASE = 'http://localhost/.well-known/workflow/v1';

/** @typedef {(request: Request) => Promise<Response>} Handler */
/** @typedef {(message: any, meta: { attempt: number, queueName: string, messageId: string }) => Promise<void | { timeoutSeconds: number }>} MessageHandler */
/** @typedef {(prefix: string, handler: MessageHandler) => Handler} CreateQueueHandler */
/** @typedef {{ post: Handler, handlers: Map<string, MessageHandler> }} Route */

/**
 * @param {string} folder
 * @returns {{core?: string, specVersion?: number}} What the manifest says of
 *   the SDK, if there is one.
 */
function readSdk(folder) {
  try {
    const text = fs.readFileSync(path.join(folder, 'manifest.json'), 'utf8');
    return JSON.parse(text).sdk ?? {};
  } catch {
    return {};
  }
}

/**
 * @param {string} folder
 * @param {string} name
 * @returns {Record<string, Handler>}
 */
function loadBundle(folder, name) {
  return require(path.join(folder, `${name}.js`));
}

/**
 * Make a World's `createQueueHandler`. It also keeps the handlers that a bundle
 * registers while it is loaded, since a delivery that is handed to one of them
 * needs neither a request nor a response.
 *
 * @param {CreateQueueHandler} createQueueHandler What makes of a handler one of requests.
 */
function createRegistry(createQueueHandler) {
  /** @type {Map<string, MessageHandler>} */
  let handlers = new Map();
  return {
    /** @type {CreateQueueHandler} */
    createQueueHandler: (prefix, handler) => {
      handlers.set(prefix, handler);
      return createQueueHandler(prefix, handler);
    },

    /**
     * @param {string} folder
     * @param {string} name
     * @returns {Route}
     */
    loadRoute: (folder, name) => {
      handlers = new Map();
      const post = loadBundle(folder, name).POST;
      if (typeof post !== 'function') {
        throw new Error(`${name}.js exports no POST function.`);
      }
      return { post, handlers };
    },
  };
}

/**
 * @param {Handler} post
 * @param {string} name
 * @param {any} delivery The frame.
 */
async function deliverByRequest(post, name, delivery) {
  const { queueName, messageId, attempt, body, headers } = delivery;
  const request = new Request(`${ROUTE_BASE}/${name}`, {
    method: 'POST',
    headers: {
      ...headers,
      'content-type': 'application/cbor',
      'x-vqs-queue-name': queueName,
      'x-vqs-message-id': messageId,
      'x-vqs-message-attempt': String(attempt),
    },
    body,
  });
  const response = await post(request);
  const text = await response.text();
  if (!response.ok) {
    const error = new Error(text);
    error.name = `HTTP ${response.status}`;
    throw error;
  }
  return JSON.parse(text);
}

/**
 * Load the bundles. Loading runs code of the app.
 *
 * @param {string} folder The unpacked artifact.
 * @param {ReturnType<typeof createRegistry>} registry Of the World that the bundles find.
 * @param {(body: Uint8Array) => any} decode Decodes messages.
 */
function loadArtifact(folder, { loadRoute }, decode) {
  // The steps first: they register themselves when they are loaded.
  const step = loadRoute(folder, ROUTES.step);
  const flow = withoutNeedlessNames(() => loadRoute(folder, ROUTES.workflow));

  /**
   * @param {{ kind: string, queueName: string }} delivery
   * @returns {MessageHandler | undefined} The handler it is handed to, if the
   *   bundle has registered one.
   */
  const handlerOf = ({ kind, queueName }) => {
    for (const [prefix, handler] of (kind === 'step' ? step : flow).handlers) {
      if (queueName.startsWith(prefix)) return handler;
    }
    return undefined;
  };

  return {
    handlerOf,

    /**
     * Run a delivery.
     *
     * @param {any} delivery The frame.
     * @returns {Promise<{timeoutSeconds?: number}>}
     * @throws What the handler throws.
     */
    async deliver(delivery) {
      const { kind, queueName, messageId, attempt, body } = delivery;
      const handler = handlerOf(delivery);
      if (handler) {
        const meta = { attempt, queueName, messageId };
        const message = decode(body);
        return timeoutOf(await withoutStacks(() => handler(message, meta)));
      }
      const isStep = kind === 'step';
      const { post } = isStep ? step : flow;
      const name = isStep ? ROUTES.step : ROUTES.workflow;
      return timeoutOf(await deliverByRequest(post, name, delivery));
    },

    /**
     * Have the webhook bundle answer a request.
     *
     * @param {any} request The frame.
     * @returns {Promise<{status: number, headers: [string, string][], body: Uint8Array}>}
     */
    async request({ method, url, headers, body }) {
      const handler = loadBundle(folder, 'webhook')[method];
      if (typeof handler !== 'function') {
        return { status: 405, headers: [], body: new Uint8Array() };
      }
      const hasBody = method !== 'GET' && method !== 'HEAD';
      const response = await handler(
        new Request(url, { method, headers, body: hasBody ? body : undefined }),
      );
      return {
        status: response.status,
        headers: [...response.headers],
        body: new Uint8Array(await response.arrayBuffer()),
      };
    },
  };
}

/**
 * Call a function whose errors get no stacks until it waits for something.
 *
 * A handler begins by asking a schema whether its message is a health check
 * (source: @workflow/core 4.8.9, helpers.js, `parseHealthCheckPayload`). For
 * each one that is not, that makes an error which nobody reads. To note where it
 * was made takes longest. Code of the app comes later.
 *
 * @template T
 * @param {() => T} work
 * @returns {T}
 */
function withoutStacks(work) {
  const { stackTraceLimit } = Error;
  Error.stackTraceLimit = 0;
  try {
    return work();
  } finally {
    Error.stackTraceLimit = stackTraceLimit;
  }
}

/**
 * @param {any} result Of a handler.
 * @returns {{ timeoutSeconds?: number }}
 */
function timeoutOf(result) {
  const timeoutSeconds = result?.timeoutSeconds;
  return typeof timeoutSeconds === 'number' && timeoutSeconds >= 0
    ? { timeoutSeconds }
    : {};
}

module.exports = { createRegistry, loadArtifact, readSdk };
