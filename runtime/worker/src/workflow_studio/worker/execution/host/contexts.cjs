'use strict';
/**
 * Contexts for replays, made while there is nothing else to do.
 *
 * The SDK makes a context for each replay (source: @workflow/core 4.8.9,
 * vm/index.js), which takes longer than all that short workflow functions do in
 * it. While the worker stores what a replay left, the executor mostly waits for
 * it: that is when the next one is made. One is kept ready; an executor that
 * never replays makes none.
 *
 * Their global object is an ordinary one. That of a context as `node:vm` makes
 * it by default passes each use of a global on to another object, which the SDK
 * has no use for: it only asks for `globalThis`.
 */

const vm = require('node:vm');

// Bound early, since bundles may put others in their place.
const { setImmediate } = globalThis;
const { createContext } = vm;

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

    /** Make one after all that is to be told of the replay, which the worker waits for. */
    prepareSoon: () => {
      if (isScheduled || spare) return;
      isScheduled = true;
      setImmediate(prepare);
    },
  };
}

module.exports = { createContexts };
