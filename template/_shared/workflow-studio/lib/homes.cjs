// Where things are: every run, and every stream, is either the local World's or
// the worker's, and stays there.
'use strict';

const { setTimeout: sleep } = require('node:timers/promises');

const { openLocalWorld } = require('./local-world.cjs');

/** @typedef {'local' | 'worker'} Home */

const RUN_ID = /^wrun_[0-9A-HJKMNP-TV-Z]{26}$/;
// Streams of a run itself; all others have names that say nothing.
const STREAM_OF_RUN = /^strm_([0-9A-HJKMNP-TV-Z]{26})_user/;
const STREAM_NAMES = /strm_[0-9A-HJKMNP-TV-Z]{26}(?!_user)/g;
// Others cannot be in the local World, which keeps a stream in files of its name.
const SAFE_STREAM_NAME = /^[\w-]+$/;
const HEALTH_CHECK_STREAM = '__health_check__';
// The SDK may open a stream a moment before it sends the payload that names it.
const STREAM_GRACE_MS = 500;
const STREAM_POLL_MS = 20;
const MAX_REMEMBERED = 10_000;

/**
 * What this process knows by heart. A run that is forgotten, or that an earlier
 * process started, is found in the local World's storage.
 */
const localRuns = new Set();
/** @type {Map<string, Home>} */
const streamHomes = new Map();
/**
 * Where each stream is written to, perhaps not known yet: writes that wait for
 * the same promise stay in their order.
 *
 * @type {Map<string, Promise<boolean>>}
 */
const writeHomes = new Map();

/**
 * @template K, V
 * @param {Map<K, V> | Set<K>} store
 */
function trim(store) {
  for (const key of store.keys()) {
    if (store.size <= MAX_REMEMBERED) {
      return;
    }
    store.delete(key);
  }
}

/** @param {string} runId */
function rememberRun(runId) {
  localRuns.add(runId);
  trim(localRuns);
}

/**
 * Notes the streams that payloads name: they are where their run is.
 *
 * @param {Home} home
 * @param {...(object | undefined)} holders Objects with payloads in their fields.
 */
function noteStreams(home, ...holders) {
  for (const value of holders.flatMap((holder) =>
    Object.values(holder ?? {}),
  )) {
    if (ArrayBuffer.isView(value)) {
      const { buffer, byteOffset, byteLength } = value;
      const text = Buffer.from(buffer, byteOffset, byteLength);
      for (const [name] of text.toString('latin1').matchAll(STREAM_NAMES)) {
        if (!streamHomes.has(name)) {
          streamHomes.set(name, home);
        }
      }
    }
  }
  trim(streamHomes);
}

/**
 * Whether a run is one of the local World's.
 *
 * @param {unknown} runId
 * @returns {Promise<boolean>}
 */
async function isLocalRun(runId) {
  if (typeof runId !== 'string' || !RUN_ID.test(runId)) {
    return false;
  }
  if (localRuns.has(runId)) {
    return true;
  }
  const { world } = await openLocalWorld();
  try {
    await world.runs.get(runId, { resolveData: 'none' });
  } catch (error) {
    if (/** @type {any} */ (error).name === 'WorkflowRunNotFoundError') {
      return false;
    }
    throw error;
  }
  rememberRun(runId);
  return true;
}

/**
 * Whether a stream is one of the local World's.
 *
 * @param {string} name
 * @param {string} [runId] Of the run that it is read for, if known.
 * @returns {Promise<boolean>}
 */
async function isLocalStream(name, runId) {
  const ulid = STREAM_OF_RUN.exec(name)?.[1];
  if (ulid) {
    return isLocalRun(`wrun_${ulid}`);
  }
  if (!streamHomes.has(name)) {
    if (await isLocalRun(runId)) {
      return true;
    }
    if (SAFE_STREAM_NAME.test(name)) {
      const { world } = await openLocalWorld();
      const info = await world.getStreamInfo(name, runId);
      if (info.done || info.tailIndex >= 0) {
        return true;
      }
    }
  }
  for (let waited = 0; waited < STREAM_GRACE_MS; waited += STREAM_POLL_MS) {
    if (streamHomes.has(name)) {
      break;
    }
    await sleep(STREAM_POLL_MS);
  }
  return streamHomes.get(name) === 'local';
}

/**
 * Whether what is written to a stream goes to the local World: a stream is kept
 * where the run is that it is written for.
 *
 * @param {string} name
 * @param {string} runId
 * @returns {Promise<boolean>}
 */
function isWrittenHere(name, runId) {
  let home = writeHomes.get(name);
  if (!home) {
    home = decideWrites(name, runId);
    home.catch(() => writeHomes.delete(name));
    writeHomes.set(name, home);
    trim(writeHomes);
  }
  return home;
}

/**
 * @param {string} name
 * @param {string} runId
 */
async function decideWrites(name, runId) {
  const isLocal = name.startsWith(HEALTH_CHECK_STREAM)
    ? streamHomes.get(name) === 'local'
    : await isLocalRun(runId);
  if (!streamHomes.has(name)) {
    streamHomes.set(name, isLocal ? 'local' : 'worker');
    trim(streamHomes);
  }
  return isLocal;
}

/**
 * Notes that a health check was sent to the local World. It is answered with a
 * stream of a run that does not exist.
 *
 * @param {string} correlationId
 */
function noteHealthCheck(correlationId) {
  streamHomes.set(HEALTH_CHECK_STREAM + correlationId, 'local');
  trim(streamHomes);
}

/**
 * Whether something is meant for a deployment or a run of the local World. A run
 * is known from here on, since its streams are written before it is created.
 *
 * @param {unknown} deploymentId
 * @param {unknown} runId
 * @returns {Promise<boolean>}
 */
async function isForLocal(deploymentId, runId) {
  if (deploymentId !== undefined) {
    const local = await openLocalWorld();
    if (deploymentId === local.deploymentId) {
      if (typeof runId === 'string') {
        rememberRun(runId);
      }
      return true;
    }
  }
  return isLocalRun(runId);
}

module.exports = {
  isForLocal,
  isLocalRun,
  isLocalStream,
  isWrittenHere,
  noteHealthCheck,
  noteStreams,
  rememberRun,
};
