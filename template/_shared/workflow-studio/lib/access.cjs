// Whether the worker takes this app's key: what only the app itself can tell.
'use strict';

const { workerHeaders } = require('./config.cjs');

/** @typedef {import('../types').ResolvedConfig} ResolvedConfig */
/** @typedef {import('../types').WorkerAccess} WorkerAccess */

// The one address of the world lane that needs no body and changes nothing.
const PROBE = '/v1/world/deployment-id';
const TIMEOUT_MS = 5_000;
const LONGEST_REFUSAL = 64 * 1024;

/**
 * Asks the worker for something that needs this app's key, once.
 *
 * @param {ResolvedConfig} config
 * @returns {Promise<WorkerAccess>}
 */
async function workerAccess(config) {
  const { apiKeyEnv, baseUrl } = config;
  if (!baseUrl) {
    return unknown('not_configured', "The worker's URL is missing.");
  }
  /** @type {Response} */
  let response;
  try {
    response = await fetch(baseUrl + PROBE, {
      headers: {
        accept: 'application/cbor, application/json;q=0.9',
        ...workerHeaders(config),
      },
      redirect: 'manual',
      signal: AbortSignal.timeout(TIMEOUT_MS),
    });
  } catch (error) {
    return unknown('unreachable', `${baseUrl} did not answer: ${why(error)}.`);
  }
  if (response.ok && isCbor(response)) {
    await response.body?.cancel();
    return { status: 'ok', code: null, message: null };
  }
  return refusal(response, apiKeyEnv, baseUrl);
}

/**
 * @param {Response} response
 * @param {string} apiKeyEnv
 * @param {string} baseUrl
 * @returns {Promise<WorkerAccess>}
 */
async function refusal(response, apiKeyEnv, baseUrl) {
  const code = await errorCode(response);
  if (code === 'no_active_deployment') {
    return { status: 'ok', code, message: null }; // the key was taken before
  }
  if (code === 'unauthorized' || code === 'missing_scope') {
    const message =
      code === 'unauthorized'
        ? `The worker at ${baseUrl} does not take the key in ${apiKeyEnv}. Give this app a key of that worker.`
        : `The key in ${apiKeyEnv} lacks the scope world:proxy. Give this app one that has it.`;
    return { status: 'refused', code, message };
  }
  return unknown(
    code ?? 'unexpected_response',
    `${baseUrl} answered ${response.status}${code ? ` (${code})` : ', not as a worker does'}.`,
  );
}

/**
 * @param {string} code
 * @param {string} message
 * @returns {WorkerAccess}
 */
function unknown(code, message) {
  return {
    status: 'unknown',
    code,
    message: `Whether the worker takes this app's key could not be checked: ${message}`,
  };
}

/**
 * @param {Response} response
 * @returns {Promise<string | undefined>}
 */
async function errorCode(response) {
  if (Number(response.headers.get('content-length')) > LONGEST_REFUSAL) {
    await response.body?.cancel();
    return undefined;
  }
  try {
    const code = JSON.parse(await response.text())?.code;
    // Something else may answer in the worker's place; repeat no text of it.
    return /^[a-z_]{1,64}$/.test(code) ? code : undefined;
  } catch {
    return undefined;
  }
}

/** @param {Response} response */
function isCbor(response) {
  return (response.headers.get('content-type') ?? '').startsWith(
    'application/cbor',
  );
}

/**
 * @param {unknown} error
 * @returns {string}
 */
function why(error) {
  if (!(error instanceof Error)) {
    return 'it failed';
  }
  if (error.name === 'TimeoutError') {
    return `not within ${TIMEOUT_MS / 1000} seconds`;
  }
  const cause = /** @type {NodeJS.ErrnoException | undefined} */ (error.cause);
  return String(cause?.code ?? error.name);
}

module.exports = { workerAccess };
