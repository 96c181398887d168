'use strict';
/**
 * Takes from replays what naming functions costs that nobody sees.
 *
 * For each step's result in its log, a replay makes the thirty functions anew
 * that may be needed to read it (source: @workflow/core 4.8.9,
 * serialization.js, `getWorkflowRevivers`): arrow functions without names, to
 * each of which the bundler gives that of the type it makes. They never leave
 * the SDK, and to name them takes five times as long as to make them.
 */

/** What these functions are called beside the types that are there for all. */
const OTHERS = ['Class', 'Instance', 'StepFunction'];

/**
 * Load a bundle whose nameless functions stay so where a type would give them
 * its name. Others get theirs.
 *
 * @template T
 * @param {() => T} load
 * @returns {T}
 */
function withoutTypeNames(load) {
  const { defineProperty } = Object;
  const names = new Set([...Object.getOwnPropertyNames(globalThis), ...OTHERS]);
  let isLoaded = false;
  /** @type {typeof defineProperty} */
  const define = (target, key, descriptor) => {
    const isSpared =
      key === 'name' &&
      isLoaded &&
      names.has(descriptor.value) &&
      typeof target === 'function' &&
      target.name === '';
    return isSpared ? target : defineProperty(target, key, descriptor);
  };
  // A bundle takes hold of it when it is loaded.
  Object.defineProperty = define;
  try {
    return load();
  } finally {
    Object.defineProperty = defineProperty;
    isLoaded = true;
  }
}

module.exports = { withoutTypeNames };
