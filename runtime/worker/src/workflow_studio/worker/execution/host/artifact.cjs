'use strict';
/** The artifact: its bundles, and how a delivery or a webhook call reaches them. */

const path = require('node:path');
const fs = require('node:fs');

const ROUTES = Object.freeze({ workflow: 'flow', step: 'step' });
/** Where the SDK's routes are; no request goes there, but bundles see the URL. */
const ROUTE_BASE = 'http://localhost/.well-known/workflow/v1';

const MAX_REASON_LENGTH = 4000;

/** @typedef {(request: Request) => Promise<Response>} Handler */

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
 * @param {string} folder
 * @param {string} name
 * @returns {Handler}
 */
function loadRoute(folder, name) {
  const route = loadBundle(folder, name).POST;
  if (typeof route !== 'function') {
    throw new Error(`${name}.js exports no POST function.`);
  }
  return route;
}

/**
 * Load the bundles. Loading runs code of the app.
 *
 * @param {string} folder The unpacked artifact.
 */
function loadArtifact(folder) {
  // The steps first: they register themselves when they are loaded.
  const step = loadRoute(folder, ROUTES.step);
  const flow = loadRoute(folder, ROUTES.workflow);

  return {
    /**
     * Run a delivery.
     *
     * @param {any} delivery The frame.
     * @returns {Promise<{timeoutSeconds?: number, error?: string}>}
     */
    async deliver({ kind, queueName, messageId, attempt, body, headers }) {
      const isStep = kind === 'step';
      const request = new Request(
        `${ROUTE_BASE}/${isStep ? ROUTES.step : ROUTES.workflow}`,
        {
          method: 'POST',
          headers: {
            ...headers,
            'content-type': 'application/cbor',
            'x-vqs-queue-name': queueName,
            'x-vqs-message-id': messageId,
            'x-vqs-message-attempt': String(attempt),
          },
          body,
        },
      );
      const response = await (isStep ? step : flow)(request);
      const text = await response.text();
      if (!response.ok) {
        const reason = text.slice(0, MAX_REASON_LENGTH);
        return { error: `HTTP ${response.status}: ${reason}` };
      }
      const { timeoutSeconds } = JSON.parse(text);
      return typeof timeoutSeconds === 'number' ? { timeoutSeconds } : {};
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

module.exports = { loadArtifact, readSdk };
