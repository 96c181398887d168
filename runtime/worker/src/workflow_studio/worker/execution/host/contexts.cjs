'use strict';
/**
 * Contexts for replays, made while there is nothing else to do.
 *
 * The SDK makes a context for each replay (source: @workflow/core 4.8.9,
 * vm/index.js), which takes longer than all that short workflow functions do in
 * it. Between two deliveries the executor mostly waits for the worker. One is
 * kept ready; an executor that never replays makes none.
 */

// Bound early, since bundles may put another in its place.
const { setImmediate } = globalThis;

function createContexts() {
  const vm = require('node:vm');
  const { createContext } = vm;
  /** @type {import('node:vm').Context | undefined} */
  let spare;
  let isScheduled = false;

  const prepare = () => {
    isScheduled = false;
    spare ??= createContext();
  };

  return {
    /** Have what asks for a plain context get the one that is ready. */
    serve: () => {
      /** @param {Parameters<typeof createContext>} given */
      vm.createContext = (...given) => {
        if (given.length > 0 || !spare) return createContext(...given);
        const context = spare;
        spare = undefined;
        return context;
      };
    },

    /** Make one, after what is being done. */
    prepareSoon: () => {
      if (isScheduled || spare) return;
      isScheduled = true;
      setImmediate(prepare);
    },
  };
}

module.exports = { createContexts };
