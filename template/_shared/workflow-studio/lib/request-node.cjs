// Makes a Web Request of a request of Node.js, whatever a framework has put
// around it or done with its body.
'use strict';

const { isTouched, parsedBody, streamBody } = require('./request-body.cjs');
const { WorkflowStudioRequestError } = require('./request-error.cjs');
const { abortWithConnection, answerOf } = require('./request-signal.cjs');
const { isTrustedRequest, requestUrl } = require('./request-url.cjs');

/** @typedef {import('../types').ConvertOptions} ConvertOptions */

const WITHOUT_BODY = new Set(['GET', 'HEAD']);
const OF_A_BODY = new Set(['content-length', 'transfer-encoding']);

/** @type {WeakMap<Request, string>} */
const callers = new WeakMap();

/**
 * @param {any} req The request of Node.js.
 * @param {any} wrapper What the framework put around it, or itself.
 * @param {ConvertOptions} options
 * @returns {Request}
 */
function fromNode(req, wrapper, options) {
  const hasBody = !WITHOUT_BODY.has(req.method);
  const headers = nodeHeaders(req, hasBody);
  const response = options.response ?? wrapper.res ?? req.res;
  const request = new Request(requestUrl(req, options, originOf(wrapper)), {
    method: req.method,
    headers,
    signal: abortWithConnection(req, response),
    ...(hasBody ? nodeBody(req, wrapper, headers) : {}),
  });
  answerOf(req, response)?.once('finish', () => leave(request.body));
  const chain = [
    isTrustedRequest(req, options) && headers.get('x-forwarded-for'),
    req.socket?.remoteAddress,
  ];
  callers.set(request, chain.filter(Boolean).join(', '));
  return request;
}

/**
 * Lets go of a body that nobody reads any more: the connection takes no other
 * request before this one is read to its end.
 *
 * @param {ReadableStream | null} body
 */
function leave(body) {
  if (body && !body.locked) {
    body.cancel().catch(() => {});
  }
}

/**
 * Returns who called, each server for whom it got the request, as far as that is
 * known: what strangers say about it is left out.
 *
 * @param {Request} request
 * @returns {string}
 */
function callersOf(request) {
  return callers.get(request) ?? '';
}

/**
 * Fastify tells, by `ips`, that the app trusts proxies, and then says itself
 * what they make of the address.
 *
 * @param {any} wrapper
 * @returns {import('./request-url.cjs').Origin | undefined}
 */
function originOf(wrapper) {
  return Array.isArray(wrapper.ips) && wrapper.raw
    ? { protocol: wrapper.protocol, host: wrapper.host ?? wrapper.hostname }
    : undefined;
}

/**
 * Returns the headers as they were sent: each repetition for itself, and
 * nothing of what HTTP/2 sends along with them.
 *
 * @param {any} req
 * @param {boolean} hasBody
 * @returns {Headers}
 */
function nodeHeaders(req, hasBody) {
  const headers = new Headers();
  let hosts = 0;
  for (const [name, value] of headerPairs(req)) {
    const lower = name.toLowerCase();
    hosts += lower === 'host' ? 1 : 0;
    if (name.startsWith(':') || (!hasBody && OF_A_BODY.has(lower))) {
      continue;
    }
    try {
      headers.append(name, value);
    } catch {
      throw badRequest('A header of this request holds what HTTP forbids.');
    }
  }
  if (hosts > 1) {
    throw badRequest('This request names its host more than once.');
  }
  return headers;
}

/**
 * @param {string} message
 * @returns {WorkflowStudioRequestError}
 */
function badRequest(message) {
  return new WorkflowStudioRequestError('bad_request', 400, message);
}

/**
 * @param {any} req
 * @returns {Array<[string, string]>}
 */
function headerPairs(req) {
  const raw = req.rawHeaders ?? [];
  /** @type {Array<[string, string]>} */
  const pairs = [];
  for (let index = 0; index + 1 < raw.length; index += 2) {
    pairs.push([raw[index], raw[index + 1]]);
  }
  if (pairs.length > 0) {
    return pairs;
  }
  for (const [name, value] of Object.entries(req.headers)) {
    for (const item of [value].flat()) {
      if (item !== undefined) {
        pairs.push([name, String(item)]);
      }
    }
  }
  return pairs;
}

/**
 * @param {any} req
 * @param {any} wrapper
 * @param {Headers} headers Made to fit a body that a parser has rewritten.
 * @returns {RequestInit}
 */
function nodeBody(req, wrapper, headers) {
  if (!isTouched(req)) {
    return halfDuplex(streamBody(req));
  }
  const found = parsedBody(
    req,
    wrapper.body === undefined ? req.body : wrapper.body,
    wrapper.rawBody ?? req.rawBody,
  );
  if (found.decoded) {
    headers.delete('content-encoding');
    headers.delete('content-length');
    headers.delete('transfer-encoding');
    if (found.body instanceof Uint8Array) {
      headers.set('content-length', String(found.body.byteLength));
    }
  }
  const type = headers.get('content-type');
  if (found.rewritten && type) {
    headers.set(
      'content-type',
      type.replace(/;\s*charset=("[^"]*"|[^;]*)/i, '; charset=utf-8'),
    );
  }
  return found.body ? halfDuplex(found.body) : {};
}

/**
 * A streamed body must be declared half-duplex (Fetch standard).
 *
 * @param {BodyInit} body
 * @returns {RequestInit}
 */
function halfDuplex(body) {
  return /** @type {RequestInit} */ ({ body, duplex: 'half' });
}

module.exports = { callersOf, fromNode };
