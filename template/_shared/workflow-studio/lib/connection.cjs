// Calls methods of the world lane over HTTP: CBOR bodies, timeouts, retries,
// and errors as the Workflow SDK reads them.
'use strict';

const { randomUUID } = require('node:crypto');
const { setTimeout: sleep } = require('node:timers/promises');

const { LATEST } = require('./active.cjs');
const { encode } = require('./cbor.cjs');
const { workerHeaders } = require('./config.cjs');
const { errorFromWire, worldError } = require('./errors.cjs');
const { send } = require('./transport.cjs');
const { CBOR, judge, noAnswer } = require('./verdict.cjs');

/** @typedef {import('../types').ResolvedConfig} ResolvedConfig */
/** @typedef {import('./transport.cjs').Exchange} Exchange */
/** @typedef {import('./world.cjs').Call} Call */
/**
 * @typedef {object} BatchedCall
 * @property {string} method
 * @property {Record<string, any>} params
 * @property {boolean} [isRepeatable] Whether it needs no key, since making it
 *   once more changes nothing.
 * @property {Record<string, any>} [alone] Other parameters that it has if it is
 *   not made together with the others.
 */
/**
 * @typedef {object} BatchedResult
 * @property {any} [value]
 * @property {Error} [error]
 */
/**
 * @typedef {object} Connection
 * @property {Call} call
 * @property {(calls: BatchedCall[]) => Promise<BatchedResult[]>} batch Makes
 *   calls that write, one after the other: in one transaction, if the worker
 *   can do that.
 * @property {import('./world.cjs').Encrypts} encrypts
 */

const ACCEPT = `${CBOR}, application/json;q=0.9`;
const ENCRYPTION_HEADER = 'x-workflow-studio-encryption';

/** Where each method lives below the base URL. */
const PATHS = Object.freeze({
  'deployments.current': '/v1/world/deployment-id',
  'queue.publish': '/v1/queue/publish',
  batch: '/v1/world/batch',
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

/** How long an answer tells whether the worker encrypts. */
const CLEAR_MS = 1_000;
const BACKOFF_MS = 200;
const MAX_BACKOFF_MS = 5_000;
/** How long a worker that knows no batches is taken not to have learnt it. */
const APART_MS = 60_000;
/** Bytes in a batch; what is more goes as calls of their own. */
const MAX_BATCH = 1024 * 1024;

/**
 * @param {() => ResolvedConfig} settings Called at every request, so that
 *   nothing is read before the first one.
 * @returns {Connection}
 */
function createConnection(settings) {
  let isClear = false;
  let clearUntil = 0;
  let apartUntil = 0;

  /**
   * One attempt.
   *
   * @param {ResolvedConfig} config
   * @param {Exchange} exchange
   */
  const attempt = async (config, exchange) => {
    const baseUrl = /** @type {string} */ (config.baseUrl);
    while (true) {
      try {
        const answer = await send(baseUrl, exchange);
        const outcome = judge(config, answer);
        if ('value' in outcome) {
          isClear = answer.headers[ENCRYPTION_HEADER] === 'none';
          clearUntil = isClear ? Date.now() + CLEAR_MS : 0;
        }
        return outcome;
      } catch (/** @type {any} */ cause) {
        exchange.signal?.throwIfAborted();
        // That an idle connection was closed says nothing about the worker.
        // Each of them fails once.
        if (!cause.stale) {
          return noAnswer(config, cause, exchange.timeoutMs);
        }
      }
    }
  };

  /**
   * @param {ResolvedConfig} config
   * @param {Exchange} exchange
   */
  const insist = async (config, exchange) => {
    for (let failures = 0; ; failures += 1) {
      const outcome = await attempt(config, exchange);
      if ('value' in outcome) {
        return outcome.value;
      }
      if (!outcome.retry || failures >= config.retries) {
        throw outcome.error;
      }
      await sleep(outcome.afterMs ?? backoff(failures), undefined, {
        signal: exchange.signal,
      });
    }
  };

  /** @type {Call} */
  const call = async (method, params, { idempotent, waitMs, signal }) => {
    const config = settings();
    // One key per call, not per attempt: a write that arrived but whose answer
    // was lost is then answered again instead of being done twice.
    const key = idempotent ? undefined : randomUUID();
    /** @param {Record<string, any>} these */
    const exchange = (these) => ({
      ...prepare(config, method, encode(these), key),
      signal,
    });
    if (waitMs) {
      const polled = await attempt(config, {
        ...exchange(params),
        timeoutMs: config.timeoutMs + waitMs,
      });
      if ('value' in polled) {
        return polled.value;
      }
      if (!polled.retry) {
        throw polled.error;
      }
      await sleep(polled.afterMs ?? backoff(0), undefined, { signal });
      // A proxy may cut what is quiet for too long. That it could not wait
      // says nothing about whether the worker answers, so ask it that.
      return insist(config, exchange({ ...params, waitMs: 0 }));
    }
    return insist(config, exchange(params));
  };

  /** @type {Connection['batch']} */
  const batch = async (calls) => {
    const config = settings();
    const encoded = calls.map(({ method, params, isRepeatable }) => ({
      method,
      params: encode(params),
      ...(!isRepeatable && { idempotencyKey: randomUUID() }),
    }));
    const size = encoded.reduce((sum, { params }) => sum + params.length, 0);
    if (size <= MAX_BATCH && Date.now() >= apartUntil) {
      try {
        const { results } = await insist(
          config,
          prepare(config, 'batch', encode({ calls: encoded })),
        );
        return results.map((/** @type {any} */ { value, error }) =>
          error === undefined ? { value } : { error: errorFromWire(error) },
        );
      } catch (error) {
        if (!isUnknownAddress(error)) {
          throw error;
        }
        apartUntil = Date.now() + APART_MS;
      }
    }
    /** @type {BatchedResult[]} */
    const results = [];
    for (const [
      index,
      { method, params, idempotencyKey },
    ] of encoded.entries()) {
      const { alone } = calls[index];
      const exchange = prepare(
        config,
        method,
        alone ? encode(alone) : params,
        idempotencyKey ?? randomUUID(),
      );
      results.push(
        await insist(config, exchange).then(
          (value) => ({ value }),
          (error) => ({ error }),
        ),
      );
    }
    return results;
  };

  /** @type {Connection['encrypts']} */
  const encrypts = (context) =>
    // A worker that takes the alias encrypts an input that comes in clear.
    context?.deploymentId === LATEST ? !isClear : Date.now() >= clearUntil;

  return { call, batch, encrypts };
}

/** @param {any} error */
function isUnknownAddress(error) {
  return error?.status === 404 && error.errorCode === 'not_found';
}

/**
 * @param {ResolvedConfig} config
 * @param {string} method
 * @param {Uint8Array} content
 * @param {string} [key] Names the call, if it may be made only once.
 * @returns {Exchange}
 */
function prepare(config, method, content, key) {
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
  if (key !== undefined) {
    headers['idempotency-key'] = key;
  }
  const { timeoutMs } = config;
  if (method === 'deployments.current') {
    return { method: 'GET', path, headers, timeoutMs };
  }
  headers['content-type'] = CBOR;
  return { method: 'POST', path, headers, body: content, timeoutMs };
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

module.exports = { PATHS, createConnection, prepare };
