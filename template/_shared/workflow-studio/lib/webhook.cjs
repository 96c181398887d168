// Hands a webhook call that came to this app to whom it is for: to the webhook
// with its token, or to the worker's Compute as a call of a provider.
'use strict';

const { ENVIRONMENT_HEADER, workerHeaders } = require('./config.cjs');
const { exchange } = require('./exchange.cjs');
const { ingressConfig, ingressError } = require('./ingress.cjs');
const { callersOf } = require('./request-node.cjs');
const { toWebRequest } = require('./request.cjs');
const { loadSdk } = require('./sdk.cjs');

/** @typedef {import('../index').WebhookCall} WebhookCall */
/** @typedef {import('../index').WebhookOptions} WebhookOptions */
/** @typedef {import('../types').ResolvedConfig} ResolvedConfig */
/**
 * @typedef {object} Outgoing
 * @property {string} path With the query.
 * @property {string} method
 * @property {Headers} headers
 * @property {ReadableStream<Uint8Array> | Uint8Array | null} body
 * @property {AbortSignal} [signal]
 * @property {number} timeoutMs
 */

const NAME = 'WorkflowStudioWebhookError';
const WEBHOOKS = '/.well-known/workflow/v1/webhook/';
/** As long as a workflow may take to answer, and a little. */
const ANSWER_MS = 310_000;
/** What the World says of a worker that does not answer, and what this does. */
const OF_THE_WAY = new Map([
  ['TRANSPORT', 'unreachable'],
  ['TIMEOUT', 'timeout'],
]);
// They say something about one connection, and nothing to whoever is behind it
// (source: RFC 9110, 7.6.1).
const HOP_BY_HOP = [
  'connection',
  'keep-alive',
  'proxy-authenticate',
  'proxy-authorization',
  'proxy-connection',
  'te',
  'trailer',
  'transfer-encoding',
  'upgrade',
];
// A caller that names them in Connection is up to something: taking them away
// would change what the request says.
const NEVER_HOP_BY_HOP = new Set([
  'authorization',
  'content-length',
  'content-type',
  'host',
]);
const NOT_PASSED_ON = [
  'authorization',
  ENVIRONMENT_HEADER,
  'host',
  'idempotency-key',
];
const FORWARDED = [
  'forwarded',
  'x-forwarded-for',
  'x-forwarded-host',
  'x-forwarded-port',
  'x-forwarded-proto',
];

/**
 * Returns what is answered to the call. Bodies pass piece by piece, both ways,
 * and redirects are answers like others. When the caller goes away, so does
 * this app's call of the worker.
 *
 * @param {WebhookCall} call
 * @param {WebhookOptions} [options]
 * @returns {Promise<Response>}
 */
async function proxyWebhook(call, options = {}) {
  if ((call.token === undefined) === (call.provider === undefined)) {
    throw invalid("Name either the webhook's token or the provider.");
  }
  const config = ingressConfig(NAME, options);
  const request = callRequest(call, options);
  if (call.token !== undefined) {
    return isFromApp(config)
      ? resumeInApp(call.token, request)
      : callToken(config, call.token, request, options);
  }
  if (config.executionMode === 'local') {
    throw ingressError(NAME, {
      code: 'not_found',
      status: 404,
      message: 'Calls of providers are for the Compute of a worker.',
      recovery: 'Run workflows on a worker, or hand the call on by a token.',
    });
  }
  return callProvider(config, String(call.provider), request);
}

/**
 * Whether the app's own SDK answers webhooks: it knows the runs of this app.
 *
 * @param {ResolvedConfig} config
 */
function isFromApp({ executionMode, failPolicy }) {
  return executionMode === 'local' || failPolicy === 'fallback-local';
}

/**
 * @param {WebhookCall} call
 * @param {WebhookOptions} options
 * @returns {Request}
 */
function callRequest(call, options) {
  if (call.request !== undefined) {
    return toWebRequest(call.request, options);
  }
  const method = call.method ?? 'POST';
  const isEmpty =
    call.body === undefined || method === 'GET' || method === 'HEAD';
  return new Request(call.url ?? 'http://localhost/', {
    method,
    headers: headersOf(call.headers),
    ...(isEmpty ? {} : { body: call.body, duplex: 'half' }),
  });
}

/**
 * @param {WebhookCall['headers']} given
 * @returns {Headers}
 */
function headersOf(given = {}) {
  const headers = new Headers();
  const pairs = Symbol.iterator in given ? given : Object.entries(given);
  for (const [name, value] of pairs) {
    for (const item of [value].flat()) {
      // HTTP/2 gives what it sends along with the headers such names.
      if (item !== undefined && !name.startsWith(':')) {
        headers.append(name, item);
      }
    }
  }
  return headers;
}

/**
 * @param {string} token
 * @param {Request} request
 * @returns {Promise<Response>}
 */
async function resumeInApp(token, request) {
  const sdk = await loadSdk();
  try {
    return await sdk.resumeWebhook(token, request);
  } catch (cause) {
    const { code, message, name } = /** @type {any} */ (cause);
    if (name === 'HookNotFoundError') {
      return noWebhook();
    }
    const lost = name === 'WorkflowWorldError' && OF_THE_WAY.get(code);
    if (lost) {
      // Whether the worker has such a webhook cannot be told.
      throw ingressError(NAME, { code: lost, message, cause });
    }
    throw cause;
  }
}

/**
 * @param {ResolvedConfig} config
 * @param {string} token
 * @param {Request} request
 * @param {WebhookOptions} options
 * @returns {Promise<Response>}
 */
async function callToken(config, token, request, options) {
  if (['', '.', '..'].includes(token)) {
    return noWebhook();
  }
  const url = new URL(request.url);
  const headers = endToEnd(request.headers);
  for (const name of ['host', ...FORWARDED]) {
    headers.delete(name);
  }
  const chain = callersOf(request);
  if (chain) {
    headers.set('x-forwarded-for', chain);
  }
  headers.set('x-forwarded-proto', url.protocol.slice(0, -1));
  headers.set('x-forwarded-host', url.host);
  return send(config, {
    path: WEBHOOKS + encodeURIComponent(token) + url.search,
    method: request.method,
    headers,
    body: request.body,
    signal: request.signal,
    timeoutMs: options.webhookTimeoutMs ?? answerMs(),
  });
}

/**
 * @returns {number}
 */
function answerMs() {
  // In seconds, as apps in Python have it.
  const seconds = Number(process.env.WORKFLOW_COMPUTE_WEBHOOK_TIMEOUT);
  return seconds > 0 ? seconds * 1000 : ANSWER_MS;
}

/**
 * @param {ResolvedConfig} config
 * @param {string} provider
 * @param {Request} request
 * @returns {Promise<Response>}
 */
async function callProvider(config, provider, request) {
  if (['', '.', '..'].includes(provider)) {
    throw invalid("The provider's name is missing.");
  }
  const headers = endToEnd(request.headers);
  // What the other service's own credentials open is none of the worker's
  // business.
  for (const name of NOT_PASSED_ON) {
    headers.delete(name);
  }
  for (const [name, value] of Object.entries(workerHeaders(config))) {
    headers.set(name, value);
  }
  const answer = await send(config, {
    path: `/v1/webhooks/${encodeURIComponent(provider)}${new URL(request.url).search}`,
    method: 'POST',
    headers,
    body: request.body,
    signal: request.signal,
    timeoutMs: config.timeoutMs,
  });
  if (answer.ok) {
    return answer;
  }
  // What the worker finds wrong with this app is not for the app's callers.
  const refusal = await answer.json().catch(() => ({}));
  throw ingressError(NAME, {
    code: refusal?.code ?? 'unexpected_response',
    status: answer.status,
    message: refusal?.message ?? `The worker answered HTTP ${answer.status}.`,
    recovery: refusal?.recovery,
  });
}

/**
 * @param {ResolvedConfig} config
 * @param {Outgoing} outgoing
 * @returns {Promise<Response>}
 */
async function send(config, outgoing) {
  try {
    const { path, ...rest } = outgoing;
    if (rest.body === null) {
      rest.headers.delete('content-length');
    }
    const answer = await exchange(config.baseUrl + path, rest);
    const headers = endToEnd(answer.headers);
    // The server of this app says those itself.
    headers.delete('date');
    headers.delete('server');
    return new Response(answer.body, {
      status: answer.status,
      statusText: answer.statusText,
      headers,
    });
  } catch (cause) {
    if (outgoing.signal?.aborted) {
      throw outgoing.signal.reason;
    }
    const isLate = /** @type {any} */ (cause)?.name === 'TimeoutError';
    throw ingressError(NAME, {
      code: isLate ? 'timeout' : 'unreachable',
      message: isLate
        ? `The worker at ${config.baseUrl} did not answer the webhook call in time.`
        : `The worker at ${config.baseUrl} could not be reached: ${why(cause)}.`,
      recovery: isLate
        ? 'See whether it is overloaded, or allow more time.'
        : 'Check that it runs, and WORKFLOW_COMPUTE_BASE_URL.',
      cause,
    });
  }
}

/**
 * @param {any} error
 * @returns {string}
 */
function why(error) {
  const first = error?.errors?.[0] ?? error;
  return String(first?.code ?? first?.message ?? first);
}

/**
 * Returns the headers that are meant for the other end.
 *
 * @param {Headers} headers
 * @returns {Headers}
 */
function endToEnd(headers) {
  const kept = new Headers(headers);
  const said = (headers.get('connection') ?? '')
    .split(',')
    .map((name) => name.trim().toLowerCase())
    .filter((name) => /^[!#$%&'*+.^_`|~0-9a-z-]+$/.test(name))
    .filter((name) => !NEVER_HOP_BY_HOP.has(name));
  for (const name of [...HOP_BY_HOP, ...said]) {
    kept.delete(name);
  }
  return kept;
}

/**
 * @returns {Response}
 */
function noWebhook() {
  const message = 'There is no webhook of this token.';
  return Response.json({ code: 'hook_not_found', message }, { status: 404 });
}

/**
 * @param {string} message
 * @returns {Error}
 */
function invalid(message) {
  return ingressError(NAME, { code: 'invalid_request', message });
}

module.exports = { proxyWebhook };
