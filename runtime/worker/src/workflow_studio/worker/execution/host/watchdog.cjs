'use strict';
/**
 * A thread that ends the process when the worker is gone.
 *
 * The main thread notices by its connection, but not while a bundle computes
 * without a pause, and with the worker nobody is left to find that it hangs.
 */

const { Worker, isMainThread, workerData } = require('node:worker_threads');

const CHECK_MS = 1000;
const MEMORY_LIMITS = Object.freeze({
  maxOldGenerationSizeMb: 8,
  maxYoungGenerationSizeMb: 1,
});

/** Start watching. */
function startWatchdog() {
  const thread = new Worker(__filename, {
    env: {},
    workerData: process.ppid,
    resourceLimits: MEMORY_LIMITS,
  });
  // Without it, the process is as it was; its connection still ends it.
  thread.on('error', (error) => console.error('The watchdog ended:', error));
  thread.unref();
}

if (!isMainThread) {
  setInterval(() => {
    if (process.ppid !== workerData) process.kill(process.pid, 'SIGKILL');
  }, CHECK_MS);
}

module.exports = { startWatchdog };
