// One HTTP request and its whole answer, over connections that are kept.
// `fetch` takes four times the processor time for the same.
'use strict';

const http = require('node:http');
const https = require('node:https');
const { urlToHttpOptions } = require('node:url');

/**
 * @typedef {object} Exchange
 * @property {string} method
 * @property {string} path Below the base URL.
 * @property {Record<string, string>} headers
 * @property {Uint8Array} [body]
 * @property {number} timeoutMs For all of it.
 * @property {AbortSignal} [signal] Gives it up.
 */
/**
 * @typedef {object} Answer
 * @property {number} status
 * @property {http.IncomingHttpHeaders} headers
 * @property {Uint8Array} body
 */
/**
 * @typedef {object} OpenAnswer
 * @property {number} status
 * @property {http.IncomingHttpHeaders} headers
 * @property {AsyncIterable<Uint8Array>} body As it arrives.
 */
/**
 * @typedef {object} Target
 * @property {typeof http.request} request
 * @property {http.RequestOptions} options
 */

// Less than the five seconds after which many servers close what is idle: a
// request must not be sent into a connection that is being closed. A server
// that keeps connections for longer says so.
const IDLE_MS = 4_000;
const MAX_IDLE_MS = 5 * 60_000;
const MARGIN_MS = 1_000;

/** Where undici, which is behind `fetch`, keeps what an app has it connect with. */
const DISPATCHER = Symbol.for('undici.globalDispatcher.1');

/** @type {WeakMap<object, number>} How long the servers keep the connections. */
const kept = new WeakMap();

/** @type {Map<string, Target>} */
const targets = new Map();

/**
 * @param {string} baseUrl
 * @returns {Target}
 */
function targetOf(baseUrl) {
  let target = targets.get(baseUrl);
  if (!target) {
    const url = new URL(baseUrl);
    const { Agent, request } = url.protocol === 'https:' ? https : http;
    const agent = new Agent({
      keepAlive: true,
      timeout: IDLE_MS,
      // Node.js 24 finds its proxies there, if it is told to.
      ...(process.env.NODE_USE_ENV_PROXY === '1' && { proxyEnv: process.env }),
    });
    const keep = agent.keepSocketAlive.bind(agent);
    agent.keepSocketAlive = (/** @type {any} */ socket) => {
      // Its type says nothing of what it returns.
      const isKept = /** @type {any} */ (keep(socket));
      const idleMs = kept.get(socket);
      if (isKept && idleMs !== undefined) {
        socket.setTimeout(idleMs);
      }
      return isKept;
    };
    target = { request, options: { ...urlToHttpOptions(url), agent } };
    targets.set(baseUrl, target);
  }
  return target;
}

/**
 * Note how long the server of an answer says that it keeps the connection.
 *
 * @param {http.IncomingMessage} answer
 */
function noteKept({ headers, socket }) {
  const seconds = /^timeout=(\d+)/.exec(String(headers['keep-alive']))?.[1];
  if (seconds === undefined) {
    kept.delete(socket);
  } else {
    const idleMs = Number(seconds) * 1000 - MARGIN_MS;
    kept.set(socket, Math.min(Math.max(idleMs, 1), MAX_IDLE_MS));
  }
}

/**
 * Sends a request; follows no redirect, and judges no status.
 *
 * @param {string} baseUrl
 * @param {Exchange} exchange
 * @returns {Promise<Answer>} Rejects if there is none. The error has `late` if
 *   there was no time left, and `stale` if it was sent into a connection that
 *   the other side had closed meanwhile.
 */
function send(baseUrl, exchange) {
  return hasOwnDispatcher()
    ? sendByFetch(baseUrl, exchange)
    : sendKept(targetOf(baseUrl), exchange);
}

/**
 * Sends a request whose answer lasts, which `timeoutMs` does not limit.
 *
 * @param {string} baseUrl
 * @param {Exchange} exchange
 * @returns {Promise<OpenAnswer>} Rejects if there is none.
 */
async function open(baseUrl, exchange) {
  if (hasOwnDispatcher()) {
    const answer = await fetch(baseUrl + exchange.path, fetchInit(exchange));
    return {
      status: answer.status,
      headers: Object.fromEntries(answer.headers),
      body: /** @type {any} */ (answer.body ?? []),
    };
  }
  const { request, options } = targetOf(baseUrl);
  return new Promise((resolve, reject) => {
    const outgoing = request(optionsOf(options, exchange));
    outgoing.on('error', reject);
    outgoing.on('response', (answer) => {
      const { statusCode = 0, headers } = answer;
      resolve({ status: statusCode, headers, body: answer });
    });
    outgoing.end(exchange.body);
  });
}

/**
 * @param {http.RequestOptions} options
 * @param {Exchange} exchange
 * @returns {http.RequestOptions}
 */
function optionsOf(options, { method, path, headers, body, signal }) {
  return {
    ...options,
    method,
    path: options.path === '/' ? path : `${options.path}${path}`,
    headers: body
      ? { ...headers, 'content-length': String(body.length) }
      : headers,
    signal,
  };
}

/**
 * @param {Target} target
 * @param {Exchange} exchange
 * @returns {Promise<Answer>}
 */
function sendKept({ request, options }, exchange) {
  const { body, timeoutMs } = exchange;
  return new Promise((resolve, reject) => {
    const outgoing = request(optionsOf(options, exchange));
    let late = false;
    const timer = setTimeout(() => {
      late = true;
      outgoing.destroy(new Error('There was no answer in time.'));
    }, timeoutMs);
    /** @param {any} error */
    const fail = (error) => {
      clearTimeout(timer);
      reject(Object.assign(error, { late }));
    };
    outgoing.on('error', (/** @type {any} */ error) => {
      const stale = outgoing.reusedSocket && error.code === 'ECONNRESET';
      fail(Object.assign(error, { stale }));
    });
    outgoing.on('response', (answer) => {
      noteKept(answer);
      /** @type {Buffer[]} */
      const parts = [];
      answer.on('data', (part) => parts.push(part));
      answer.on('error', fail);
      answer.on('end', () => {
        clearTimeout(timer);
        resolve({
          status: answer.statusCode ?? 0,
          headers: answer.headers,
          body: parts.length === 1 ? parts[0] : Buffer.concat(parts),
        });
      });
    });
    outgoing.end(body);
  });
}

/** Whether the app has all its requests go another way, such as by a proxy. */
function hasOwnDispatcher() {
  const dispatcher = /** @type {any} */ (globalThis)[DISPATCHER];
  return dispatcher !== undefined && dispatcher.constructor?.name !== 'Agent';
}

/**
 * @param {string} baseUrl
 * @param {Exchange} exchange
 * @returns {Promise<Answer>}
 */
async function sendByFetch(baseUrl, exchange) {
  const { path, timeoutMs, signal } = exchange;
  const timeout = AbortSignal.timeout(timeoutMs);
  try {
    const answer = await fetch(baseUrl + path, {
      ...fetchInit(exchange),
      signal: signal ? AbortSignal.any([signal, timeout]) : timeout,
    });
    return {
      status: answer.status,
      headers: Object.fromEntries(answer.headers),
      body: new Uint8Array(await answer.arrayBuffer()),
    };
  } catch (cause) {
    throw Object.assign(new Error('There is no answer.', { cause }), {
      late: timeout.aborted,
    });
  }
}

/**
 * @param {Exchange} exchange
 * @returns {RequestInit}
 */
function fetchInit({ method, headers, body, signal }) {
  return {
    method,
    headers,
    body: /** @type {BodyInit | undefined} */ (body),
    signal,
    redirect: 'manual',
    // Next.js patches fetch; without this it may try to cache the answer.
    cache: 'no-store',
  };
}

module.exports = { open, send };
