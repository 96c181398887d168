'use strict';
/**
 * Contexts for replays, made while there is nothing else to do.
 *
 * The SDK makes a context for each replay (source: @workflow/core 4.8.9,
 * vm/index.js), which takes longer than all that short workflow functions do in
 * it. Between two deliveries the executor mostly waits for the worker. One is
 * kept ready; an executor that never replays makes none.
 *
 * Their global object is an ordinary one. That of a context as `node:vm` makes
 * it by default passes each use of a global on to another object, which the SDK
 * has no use for: it only asks for `globalThis`.
 */

const vm = require('node:vm');

// Bound early, since bundles may put others in their place.
const { setImmediate, setTimeout } = globalThis;
const { createContext } = vm;

/**
 * How long the worker is left alone after a replay. It is woken by the replay's
 * outcome, often on this very core, and has work to do before this process
 * gets any.
 */
const PAUSE_MS = 1;

/** Node.js 20 has had it since 20.18. */
const ORDINARY = vm.constants?.DONT_CONTEXTIFY;

const make = () => createContext(ORDINARY);

/** @param {() => boolean} isReplaying Whether the calling code replays a workflow function. */
function createContexts(isReplaying) {
  /** @type {import('node:vm').Context | undefined} */
  let spare;
  let isScheduled = false;

  const prepare = () => {
    isScheduled = false;
    spare ??= make();
  };

  return {
    /** Have replays that ask for a plain context get the one that is ready. */
    serve: () => {
      /** @param {Parameters<typeof createContext>} given */
      vm.createContext = (...given) => {
        if (given.length > 0 || !isReplaying()) return createContext(...given);
        const context = spare ?? make();
        spare = undefined;
        return context;
      };
    },

    /** Make one soon, after what has come by then. */
    prepareSoon: () => {
      if (isScheduled || spare) return;
      isScheduled = true;
      setTimeout(() => setImmediate(prepare), PAUSE_MS);
    },
  };
}

module.exports = { createContexts };
