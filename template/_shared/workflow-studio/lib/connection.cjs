// Calls methods of the world lane over HTTP: CBOR bodies, timeouts, retries,
// and errors as the Workflow SDK reads them.
'use strict';

const { randomUUID } = require('node:crypto');
const { setTimeout: sleep } = require('node:timers/promises');

const { decode, encode } = require('./cbor.cjs');
const { workerHeaders } = require('./config.cjs');
const {
  errorFromResponse,
  timeoutError,
  transportError,
  worldError,
} = require('./errors.cjs');

/** @typedef {import('../types').ResolvedConfig} ResolvedConfig */
/** @typedef {import('./world.cjs').CallOptions} CallOptions */
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
const ACCEPT = `${CBOR}, application/json;q=0.9`;

/** Where each method lives below the base URL. */
const PATHS = Object.freeze({
  'deployments.current': '/v1/world/deployment-id',
  'queue.publish': '/v1/queue/publish',
  'events.create': '/v1/world/events/create',
  'events.get': '/v1/world/events/get',
  'events.list': '/v1/world/events/list',
  'events.listByCorrelationId': '/v1/world/events/list-by-correlation',
  'runs.get': '/v1/world/runs/get',
  'runs.list': '/v1/world/runs/list',
  'steps.get': '/v1/world/steps/get',
  'steps.list': '/v1/world/steps/list',
  'hooks.get': '/v1/world/hooks/get',
  'hooks.getByToken': '/v1/world/hooks/by-token',
  'hooks.list': '/v1/world/hooks/list',
  'streams.write': '/v1/world/streams/write',
  'streams.close': '/v1/world/streams/close',
  'streams.read': '/v1/world/streams/read',
  'streams.list': '/v1/world/streams/list',
  'streams.chunks': '/v1/world/streams/chunks',
  'streams.info': '/v1/world/streams/info',
  'encryption.key': '/v1/world/encryption-key',
});

const BACKOFF_MS = 200;
const MAX_BACKOFF_MS = 5_000;
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
 * Returns the function that `createWorld` calls methods with.
 *
 * @param {() => ResolvedConfig} settings Called at every request, so that
 *   nothing is read before the first one.
 * @returns {import('./world.cjs').Call}
 */
function createConnection(settings) {
  return async (method, params, options) => {
    const config = settings();
    let waitMs = options.waitMs ?? 0;
    let request = prepare(config, method, params, options);
    let attempt = 0;
    while (true) {
      const outcome = await exchange(config, request, waitMs, options.signal);
      if ('value' in outcome) {
        return outcome.value;
      }
      if (!outcome.retry || (!waitMs && attempt >= config.retries)) {
        throw outcome.error;
      }
      await sleep(outcome.afterMs ?? backoff(attempt), undefined, {
        signal: options.signal,
      });
      if (waitMs) {
        // A proxy may cut what is quiet for too long. That it could not wait
        // says nothing about whether the worker answers, so ask it that.
        waitMs = 0;
        request = prepare(config, method, { ...params, waitMs }, options);
      } else {
        attempt += 1;
      }
    }
  };
}

/**
 * @param {ResolvedConfig} config
 * @param {string} method
 * @param {Record<string, any>} params
 * @param {CallOptions} options
 */
function prepare(config, method, params, options) {
  if (!config.baseUrl) {
    throw worldError(
      "Workflow Studio does not know the worker's URL. Set WORKFLOW_COMPUTE_BASE_URL, or execution.remoteWorkerUrl in workflow.config.ts.",
      { status: 400, errorCode: 'no_worker_url' },
    );
  }
  const path = PATHS[/** @type {keyof typeof PATHS} */ (method)];
  if (!path) {
    throw worldError(`The world lane has no method ${method}.`, {
      status: 400,
    });
  }
  /** @type {Record<string, string>} */
  const headers = { accept: ACCEPT, ...workerHeaders(config) };
  const read = method === 'deployments.current';
  if (!read) {
    headers['content-type'] = CBOR;
  }
  if (!options.idempotent) {
    // One key per call, not per attempt: a write that arrived but whose answer
    // was lost is then answered again instead of being done twice.
    headers['idempotency-key'] = randomUUID();
  }
  return {
    url: config.baseUrl + path,
    init: {
      method: read ? 'GET' : 'POST',
      headers,
      body: read ? undefined : /** @type {BodyInit} */ (encode(params)),
      redirect: /** @type {const} */ ('manual'),
      // Next.js patches fetch; without this it may try to cache the answer.
      cache: /** @type {const} */ ('no-store'),
    },
  };
}

/**
 * One attempt.
 *
 * @param {ResolvedConfig} config
 * @param {ReturnType<typeof prepare>} request
 * @param {number} waitMs
 * @param {AbortSignal} [given]
 * @returns {Promise<Outcome>}
 */
async function exchange(config, request, waitMs, given) {
  const limitMs = config.timeoutMs + waitMs;
  const timeout = AbortSignal.timeout(limitMs);
  const signal = given ? AbortSignal.any([given, timeout]) : timeout;
  try {
    const response = await fetch(request.url, { ...request.init, signal });
    const body = new Uint8Array(await response.arrayBuffer());
    return judge(config, response, body);
  } catch (cause) {
    given?.throwIfAborted();
    const error = timeout.aborted
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
}

/**
 * @param {ResolvedConfig} config
 * @param {Response} response
 * @param {Uint8Array} body
 * @returns {Outcome}
 */
function judge(config, response, body) {
  const type = response.headers.get('content-type') ?? '';
  if (response.ok) {
    try {
      if (type.startsWith(CBOR)) {
        return { value: decode(body) };
      }
    } catch (cause) {
      return { error: impostor(config, response, type, cause), retry: true };
    }
    return { error: impostor(config, response, type), retry: true };
  }
  const refusal = readRefusal(type, body);
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
 * @param {Response} response
 * @param {string} type
 * @param {unknown} [cause]
 */
function impostor(config, response, type, cause) {
  const target = response.headers.get('location');
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
 * @param {Response} response
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
 * @param {Response} response
 * @returns {number | undefined} Milliseconds.
 */
function retryAfter(response) {
  const value = response.headers.get('retry-after');
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
 * Full jitter: many clients of a worker that comes back do not arrive at once.
 *
 * @param {number} attempt
 */
function backoff(attempt) {
  const ceiling = Math.min(BACKOFF_MS * 2 ** attempt, MAX_BACKOFF_MS);
  return ceiling / 2 + Math.random() * (ceiling / 2);
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

module.exports = { PATHS, createConnection };
