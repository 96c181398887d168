'use strict';
/**
 * What a bundle finds around it: the World, `waitUntil`, and the worker's port.
 * All of it has to be there before a bundle is loaded.
 */

/** After so long, a promise given to `waitUntil` no longer keeps a process. */
const BACKGROUND_LIMIT_MS = 10 * 60 * 1000;

/**
 * Make the World the one that the bundles use.
 *
 * A bundle takes the World from the first of these globals and the parts it
 * needs while it is loaded from the second (source: @workflow/core 4.8.9,
 * runtime/world.js), and looks no further if they are set.
 *
 * @param {unknown} world
 */
function provideWorld(world) {
  for (const name of [
    '@workflow/world//cache',
    '@workflow/world//stubbedCache',
  ]) {
    Object.defineProperty(globalThis, Symbol.for(name), {
      value: world,
      configurable: true,
      writable: true,
    });
  }
}

/**
 * Provide `waitUntil`: bundles flush streams in the background with it, after
 * the delivery they belong to is acknowledged (source: @vercel/functions).
 *
 * @param {(task: Promise<unknown>) => void} onTask Called with each promise, in
 *   a form that never rejects and does not last for ever.
 */
function provideWaitUntil(onTask) {
  /** @param {unknown} promise */
  const waitUntil = (promise) => {
    /** @type {NodeJS.Timeout} */
    let timer;
    const limit = new Promise((resolve) => {
      timer = setTimeout(resolve, BACKGROUND_LIMIT_MS);
      timer.unref();
    });
    const settled = Promise.resolve(promise).catch((error) => {
      console.error('A background task failed:', error);
    });
    const ended = Promise.race([settled, limit]);
    onTask(ended.then(() => clearTimeout(timer)));
  };
  const context = Object.freeze({ waitUntil });
  Object.defineProperty(globalThis, Symbol.for('@vercel/request-context'), {
    value: Object.freeze({ get: () => context }),
    configurable: true,
    writable: true,
  });
}

/**
 * Answer the question which port this process listens on.
 *
 * The SDK builds webhook URLs from the first listening port of its own process
 * (source: @workflow/utils 4.8.9, get-port.js). An executor listens on none;
 * webhook calls come in at the worker's.
 *
 * @param {number} port
 */
function providePort(port) {
  const report = process.report;
  const original = report.getReport.bind(report);
  report.getReport = (error) => ({
    .../** @type {object} */ (original(error)),
    libuv: [
      {
        type: 'tcp',
        is_active: true,
        is_referenced: true,
        localEndpoint: { host: 'localhost', ip4: '127.0.0.1', port },
        remoteEndpoint: null,
      },
    ],
  });
}

module.exports = { provideWaitUntil, provideWorld, providePort };
