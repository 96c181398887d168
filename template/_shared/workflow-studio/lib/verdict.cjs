// What an answer of the world lane, or the lack of one, means to the Workflow SDK.
'use strict';

const { decode } = require('./cbor.cjs');
const {
  errorFromResponse,
  timeoutError,
  transportError,
  worldError,
} = require('./errors.cjs');

/** @typedef {import('../types').ResolvedConfig} ResolvedConfig */
/** @typedef {import('./transport.cjs').Answer} Answer */
/**
 * @typedef {object} Success
 * @property {any} value
 */
/**
 * @typedef {object} Failure
 * @property {Error} error
 * @property {boolean} retry
 * @property {number} [afterMs] How long to wait before the next attempt.
 */
/** @typedef {Success | Failure} Outcome */

const CBOR = 'application/cbor';
// A server may ask for any pause; a caller of start() should not wait longer.
const MAX_RETRY_AFTER_MS = 20_000;
// What Node.js calls the usual reasons for which there is no connection.
/** @type {Record<string, string>} */
const REASONS = {
  ECONNREFUSED: 'nothing listens there',
  ENOTFOUND: 'the host name is unknown',
  EAI_AGAIN: 'the host name could not be looked up',
  ECONNRESET: 'the connection was cut',
  UND_ERR_SOCKET: 'the connection was cut',
  UND_ERR_CONNECT_TIMEOUT: 'it did not accept the connection in time',
  DEPTH_ZERO_SELF_SIGNED_CERT: 'its certificate is self-signed',
  SELF_SIGNED_CERT_IN_CHAIN: 'its certificate is self-signed',
  CERT_HAS_EXPIRED: 'its certificate has expired',
};

/**
 * @param {ResolvedConfig} config
 * @param {any} cause Why there was no answer.
 * @param {number} limitMs How long was waited for one.
 * @returns {Outcome}
 */
function noAnswer(config, cause, limitMs) {
  const error = cause?.late
    ? timeoutError(
        `The Workflow Studio worker at ${config.baseUrl} did not answer within ${limitMs} ms. See whether it is overloaded, or raise execution.timeoutMs.`,
        cause,
      )
    : transportError(
        `The Workflow Studio worker at ${config.baseUrl} cannot be reached: ${reason(cause)}. Start it with "studio worker start", or correct WORKFLOW_COMPUTE_BASE_URL.`,
        cause,
      );
  return { error, retry: true };
}

/**
 * @param {ResolvedConfig} config
 * @param {Answer} response
 * @returns {Outcome}
 */
function judge(config, response) {
  const type = response.headers['content-type'] ?? '';
  if (response.status >= 200 && response.status < 300) {
    try {
      if (type.startsWith(CBOR)) {
        return { value: decode(response.body) };
      }
    } catch (cause) {
      return { error: impostor(config, response, type, cause), retry: true };
    }
    return { error: impostor(config, response, type), retry: true };
  }
  const refusal = readRefusal(type, response.body);
  if (!refusal) {
    return {
      error: impostor(config, response, type),
      retry: response.status >= 500 || response.status === 429,
      afterMs: retryAfter(response),
    };
  }
  return {
    error: refusalError(config, response, refusal),
    retry: isTemporary(response.status, refusal),
    afterMs: retryAfter(response),
  };
}

/**
 * Something else than the worker answered: a proxy, a login page, a wrong URL.
 * It is a matter of transport; the SDK fails runs for good over anything that
 * looks like a body it cannot parse.
 *
 * @param {ResolvedConfig} config
 * @param {Answer} response
 * @param {string} type
 * @param {unknown} [cause]
 */
function impostor(config, response, type, cause) {
  const target = response.headers.location;
  const what = target
    ? `a redirect to ${target}`
    : `HTTP ${response.status} with ${type ? `a body of type ${type.split(';', 1)[0]}` : 'an untyped body'}`;
  const advice = [502, 503, 504].includes(response.status)
    ? 'A proxy answered in its place: see whether the worker is running.'
    : 'WORKFLOW_COMPUTE_BASE_URL must be the URL of the worker itself.';
  const error = transportError(
    `The Workflow Studio worker at ${config.baseUrl} did not answer; got ${what}. ${advice}`,
    cause,
  );
  // Not `status`: the SDK would take that for the worker's own.
  return Object.assign(error, { answeredStatus: response.status });
}

/**
 * @param {string} type
 * @param {Uint8Array} body
 * @returns {Record<string, any> | undefined} The worker's own error body.
 */
function readRefusal(type, body) {
  if (!type.startsWith('application/json')) {
    return undefined;
  }
  try {
    const refusal = JSON.parse(new TextDecoder().decode(body));
    return typeof refusal?.code === 'string' &&
      typeof refusal.message === 'string'
      ? refusal
      : undefined;
  } catch {
    return undefined;
  }
}

/**
 * @param {ResolvedConfig} config
 * @param {Answer} response
 * @param {Record<string, any>} refusal
 * @returns {Error}
 */
function refusalError(config, response, refusal) {
  const { status } = response;
  if (refusal.error !== undefined || (status !== 401 && status !== 403)) {
    if (status === 429 && refusal.error === undefined) {
      return Object.assign(errorFromResponse(status, refusal), {
        name: 'ThrottleError',
        retryAfter: Math.ceil((retryAfter(response) ?? 1000) / 1000),
      });
    }
    return errorFromResponse(status, refusal);
  }
  const key = config.apiKey
    ? `Check the key in ${config.apiKeyEnv}; it needs the scope world:proxy.`
    : `Set ${config.apiKeyEnv} to a key with the scope world:proxy.`;
  return worldError(
    `The Workflow Studio worker at ${config.baseUrl} refused the API key: ${refusal.message} ${key}`,
    { status, errorCode: refusal.code },
  );
}

/**
 * @param {number} status
 * @param {Record<string, any>} refusal
 */
function isTemporary(status, refusal) {
  return (
    (status >= 500 && status !== 501) ||
    (status === 429 && refusal.error === undefined)
  );
}

/**
 * @param {Answer} response
 * @returns {number | undefined} Milliseconds.
 */
function retryAfter(response) {
  const value = response.headers['retry-after'];
  if (!value) {
    return undefined;
  }
  const seconds = Number(value);
  const ms = Number.isFinite(seconds)
    ? seconds * 1000
    : Date.parse(value) - Date.now();
  return Number.isFinite(ms)
    ? Math.min(Math.max(ms, 0), MAX_RETRY_AFTER_MS)
    : undefined;
}

/**
 * @param {unknown} error
 * @returns {string}
 */
function reason(error) {
  const cause = /** @type {any} */ (error)?.cause ?? error;
  const inner = cause?.errors?.[0] ?? cause;
  return REASONS[inner?.code] ?? inner?.code ?? String(inner?.message ?? inner);
}

module.exports = { CBOR, judge, noAnswer };
