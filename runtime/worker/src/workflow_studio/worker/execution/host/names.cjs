'use strict';
/**
 * Takes from replays what naming functions costs that nobody sees.
 *
 * A bundler that keeps names gives each function its own, one that it has
 * already as well as one that it lacks, whenever it is made; and that takes five
 * times as long as to make it. For each step's result in its log, a replay makes
 * the thirty functions anew that may be needed to read it (source:
 * @workflow/core 4.8.9, serialization.js, `getWorkflowRevivers`): arrow
 * functions without names, to each of which the bundler gives that of the type
 * it makes. They never leave the SDK, nor do the closures by which it keeps
 * events in order.
 */

/** What these functions are called beside the types that are there for all. */
const OTHERS = ['Class', 'Instance', 'StepFunction'];

/**
 * What closures are called that the SDK makes for each event (source:
 * @workflow/core 4.8.9, private.js, `registerDeliveryBarrier`;
 * events-consumer.js; and the errors of zod, one for each message that is no
 * health check).
 */
const CLOSURES = ['arm', 'finish', 'poll', 'value'];

/**
 * Load a bundle whose functions keep the names they have, and whose nameless
 * ones stay so where they would get that of a type or of such a closure. Others
 * get theirs.
 *
 * @template T
 * @param {() => T} load
 * @returns {T}
 */
function withoutNeedlessNames(load) {
  const { defineProperty } = Object;
  const spared = new Set([
    ...Object.getOwnPropertyNames(globalThis),
    ...OTHERS,
    ...CLOSURES,
  ]);
  let isLoaded = false;
  /** @type {typeof defineProperty} */
  const define = (target, key, descriptor) => {
    const isSpared =
      key === 'name' &&
      isLoaded &&
      typeof target === 'function' &&
      (target.name === descriptor.value ||
        (target.name === '' && spared.has(descriptor.value)));
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

module.exports = { withoutNeedlessNames };
