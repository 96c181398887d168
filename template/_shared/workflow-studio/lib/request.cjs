// Turns what frameworks call a request into a Web Request.
'use strict';

const { fromNode } = require('./request-node.cjs');
const { streamBody } = require('./request-body.cjs');
const { WorkflowStudioRequestError } = require('./request-error.cjs');

/** @typedef {import('../types').ConvertOptions} ConvertOptions */
/**
 * @typedef {object} Held
 * @property {any} request
 * @property {ConvertOptions} options
 */

/**
 * Returns the Web Request of a request. It takes
 *
 * - a Web Request, returned as it is, and what only looks like one,
 * - Node.js' IncomingMessage and Http2ServerRequest, and what Express, Connect,
 *   Vite's development server, Nest and Next.js' Pages API make of them,
 * - Fastify's request, Hono's request,
 * - an event or context that holds one of these.
 *
 * @param {any} source
 * @param {ConvertOptions} [options]
 * @returns {Request}
 */
function toWebRequest(source, options = {}) {
  if (source instanceof Request) {
    return source;
  }
  if (isNodeRequest(source)) {
    return fromNode(source, source, options);
  }
  if (isNodeRequest(source?.raw)) {
    return fromNode(source.raw, source, options);
  }
  if (isLookalike(source)) {
    return fromLookalike(source);
  }
  const inner = innerRequest(source);
  if (inner) {
    return toWebRequest(inner.request, { ...inner.options, ...options });
  }
  throw new WorkflowStudioRequestError(
    'unknown_request',
    500,
    'Workflow Studio was given something that is no request.',
    "Pass the framework's own request, or its event or context.",
  );
}

/**
 * @param {any} source
 * @returns {boolean}
 */
function isNodeRequest(source) {
  return (
    typeof source?.method === 'string' &&
    typeof source.headers === 'object' &&
    typeof source.on === 'function' &&
    typeof source.httpVersion === 'string'
  );
}

/**
 * Whether this is a Request of another realm or library.
 *
 * @param {any} source
 * @returns {boolean}
 */
function isLookalike(source) {
  return (
    typeof source?.method === 'string' &&
    typeof source.url === 'string' &&
    URL.canParse(source.url) &&
    typeof source.headers === 'object'
  );
}

/**
 * @param {any} source
 * @returns {Held | undefined}
 */
function innerRequest(source) {
  const holders = [
    [source?.node?.req, source?.node?.res], // h3 1
    [source?.web?.request], // h3 1 on a server of the Web
    [source?.req, source?.res], // h3 2, Hono, Koa
    [source?.request], // SvelteKit, Astro, loaders and actions
    [source?.raw], // HonoRequest
  ];
  for (const [request, response] of holders) {
    if (typeof request === 'object' && request !== null) {
      return {
        request,
        options: isNodeRequest(request) ? { response } : {},
      };
    }
  }
  return undefined;
}

/**
 * @param {any} source
 * @returns {Request}
 */
function fromLookalike(source) {
  const { method, headers, body, signal } = source;
  if (source.bodyUsed) {
    throw new WorkflowStudioRequestError(
      'body_already_read',
      500,
      'The body of this request was read before.',
      'Read a clone of the request, or hand it on first.',
    );
  }
  const hasBody = method !== 'GET' && method !== 'HEAD' && body;
  return new Request(source.url, {
    method,
    headers: new Headers(headers),
    signal: ownSignal(signal),
    ...(hasBody ? { body: ownBody(body), duplex: 'half' } : {}),
  });
}

/**
 * @param {any} body
 * @returns {any}
 */
function ownBody(body) {
  if (body instanceof ReadableStream || typeof body.getReader !== 'function') {
    return typeof body.on === 'function' ? streamBody(body) : body;
  }
  const reader = body.getReader();
  return new ReadableStream(
    {
      async pull(controller) {
        const { done, value } = await reader.read();
        if (done) {
          controller.close();
        } else {
          controller.enqueue(value);
        }
      },
      cancel: (reason) => reader.cancel(reason),
    },
    { highWaterMark: 0 },
  );
}

/**
 * @param {any} signal
 * @returns {AbortSignal | undefined}
 */
function ownSignal(signal) {
  if (
    signal === undefined ||
    signal === null ||
    signal instanceof AbortSignal
  ) {
    return signal ?? undefined;
  }
  const controller = new AbortController();
  if (signal.aborted) {
    controller.abort(signal.reason);
  } else {
    signal.addEventListener?.('abort', () => controller.abort(signal.reason), {
      once: true,
    });
  }
  return controller.signal;
}

module.exports = { toWebRequest };
