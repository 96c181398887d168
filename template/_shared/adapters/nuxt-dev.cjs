// Runs in a development server's worker. Nuxt replaces the worker at every change,
// and with it go the queue and the timers of the SDK's own World: runs that are
// under way would never end.
'use strict';

const { setTimeout: sleep } = require('node:timers/promises');
const { getEnvironmentData } = require('node:worker_threads');

const { shouldExecuteRemotely } = require('./lib/config.cjs');
const { loadSdk } = require('./lib/sdk.cjs');

const KNOCK_MS = 250;
const MOST_KNOCKS = 240;

/**
 * Takes unfinished runs up again as soon as this worker has taken over: before,
 * the one before it may still begin some, and messages would go there.
 *
 * @param {any} nitroApp
 * @param {string} base Where the app lives on its server.
 */
function recoverRuns(nitroApp, base) {
  if (shouldExecuteRemotely()) {
    return;
  }
  let hasTakenOver = false;
  nitroApp.hooks.hookOnce('request', () => {
    hasTakenOver = true;
    // Not awaited: the request is none of its business.
    startWorld();
  });
  knock(base, () => hasTakenOver);
}

async function startWorld() {
  try {
    const { getWorld } = await loadSdk();
    await (await getWorld()).start?.();
  } catch (error) {
    console.warn(
      `[workflow-studio] Unfinished runs could not be taken up again: ${error instanceof Error ? error.message : error}`,
    );
  }
}

/**
 * Asks the dev server for something until the question comes to this worker. After
 * the server's own start somebody else has to be the first to ask.
 *
 * @param {string} base
 * @param {() => boolean} isHeard
 */
async function knock(base, isHeard) {
  const shared = /** @type {any} */ (
    getEnvironmentData('workflow-studio:dev-port')
  );
  const port = shared ? Atomics.load(shared.port, 0) : 0;
  const url = `http://localhost:${port}${base.replace(/\/+$/, '')}/.well-known/workflow/v1/flow?__health`;
  for (let knocks = 0; port && knocks < MOST_KNOCKS && !isHeard(); knocks++) {
    const signal = AbortSignal.timeout(KNOCK_MS * 4);
    await fetch(url, { method: 'HEAD', signal }).catch(() => undefined);
    await sleep(KNOCK_MS, undefined, { ref: false });
  }
}

module.exports = { recoverRuns };
