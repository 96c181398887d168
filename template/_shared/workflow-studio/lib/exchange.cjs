// One HTTP exchange that changes nothing on its way: no redirect is followed,
// nothing is decompressed, and both bodies pass piece by piece. `fetch` does
// each of these otherwise.
'use strict';

const http = require('node:http');
const https = require('node:https');
const { Readable } = require('node:stream');
const { pipeline } = require('node:stream/promises');

const { streamBody } = require('./request-body.cjs');

/**
 * @typedef {object} Exchange
 * @property {string} method
 * @property {Headers} headers
 * @property {ReadableStream<Uint8Array> | Uint8Array | null} body
 * @property {AbortSignal} [signal]
 * @property {number} timeoutMs Until the answer begins, and then between its
 *   pieces.
 */

const WITHOUT_BODY = new Set([204, 205, 304]);

/**
 * @param {string} url
 * @param {Exchange} exchange
 * @returns {Promise<Response>}
 */
async function exchange(url, { method, headers, body, signal, timeoutMs }) {
  signal?.throwIfAborted();
  const { request } = url.startsWith('https:') ? https : http;
  const outgoing = request(url, {
    method,
    headers: Object.fromEntries(headers),
    // A connection of its own: one that was kept may be cut just now, and this
    // call cannot be repeated.
    agent: false,
  });
  const abort = () => outgoing.destroy(abortReason(signal));
  signal?.addEventListener('abort', abort, { once: true });
  const timer = setTimeout(() => outgoing.destroy(late()), timeoutMs);
  outgoing.once('close', () => signal?.removeEventListener('abort', abort));
  try {
    const answer = await answered(outgoing, body);
    return toResponse(answer, outgoing, timeoutMs);
  } finally {
    clearTimeout(timer);
  }
}

/**
 * @param {import('node:http').ClientRequest} outgoing
 * @param {Exchange['body']} body
 * @returns {Promise<import('node:http').IncomingMessage>}
 */
function answered(outgoing, body) {
  return new Promise((resolve, reject) => {
    outgoing.once('response', resolve);
    outgoing.once('error', reject);
    outgoing.once('close', () => reject(lost()));
    // What breaks after the answer has begun is told by the answer's body.
    outgoing.on('error', () => {});
    if (body === null || body instanceof Uint8Array) {
      outgoing.end(body ?? undefined);
      return;
    }
    // More or less than content-length says would be taken for another request.
    Object.assign(outgoing, { strictContentLength: true });
    const source = Readable.fromWeb(/** @type {any} */ (body));
    pipeline(source, outgoing).catch((error) => {
      outgoing.destroy(error);
      reject(error);
    });
  });
}

/**
 * @param {import('node:http').IncomingMessage} answer
 * @param {import('node:http').ClientRequest} outgoing
 * @param {number} timeoutMs
 * @returns {Response}
 */
function toResponse(answer, outgoing, timeoutMs) {
  const status = answer.statusCode ?? 502;
  const headers = new Headers();
  for (let index = 0; index + 1 < answer.rawHeaders.length; index += 2) {
    headers.append(answer.rawHeaders[index], answer.rawHeaders[index + 1]);
  }
  const init = { status, statusText: answer.statusMessage, headers };
  if (WITHOUT_BODY.has(status) || outgoing.method === 'HEAD') {
    answer.resume();
    return new Response(null, init);
  }
  outgoing.setTimeout(timeoutMs, () => answer.destroy(late()));
  const body = streamBody(answer, () => answer.destroy());
  return new Response(/** @type {BodyInit} */ (body), init);
}

/**
 * @param {AbortSignal | undefined} signal
 * @returns {Error}
 */
function abortReason(signal) {
  return signal?.reason instanceof Error ? signal.reason : lost();
}

/**
 * @returns {DOMException}
 */
function late() {
  return new DOMException('There was no answer in time.', 'TimeoutError');
}

/**
 * @returns {Error}
 */
function lost() {
  return Object.assign(new Error('The connection was lost.'), {
    code: 'ECONNRESET',
  });
}

module.exports = { exchange };
