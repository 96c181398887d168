'use strict';
/**
 * What a run is started with that the SDK's `start()` has no place for. It is
 * known to whatever happens in the course of the callback, in which the World
 * looks for it when a run is created.
 */

const { AsyncLocalStorage } = require('node:async_hooks');

/**
 * @typedef {object} RunOptions
 * @property {string} [concurrencyKey]
 * @property {number} [priority]
 */

/**
 * An app and its World, or a step and its executor, may have this module each
 * for itself. What they share is the process.
 */
const SHARED = Symbol.for('workflow-studio.run-options');

const MAX_KEY = 256;
const MAX_PRIORITY = 100;

/** @returns {AsyncLocalStorage<Readonly<RunOptions>>} */
function shared() {
  const holder = /** @type {any} */ (globalThis);
  holder[SHARED] ??= new AsyncLocalStorage();
  return holder[SHARED];
}

/**
 * @template T
 * @param {RunOptions} options
 * @param {() => T} callback
 * @returns {T}
 */
function withRunOptions(options, callback) {
  const storage = shared();
  return storage.run({ ...storage.getStore(), ...checked(options) }, callback);
}

/**
 * Returns the options of runs that are created now.
 *
 * @returns {Readonly<RunOptions>}
 */
function currentRunOptions() {
  return shared().getStore() ?? {};
}

/**
 * @param {RunOptions} options
 * @returns {RunOptions}
 */
function checked({ concurrencyKey, priority }) {
  /** @type {RunOptions} */
  const found = {};
  if (concurrencyKey !== undefined) {
    // The worker counts characters as Python does: by code point.
    const length =
      typeof concurrencyKey === 'string' ? [...concurrencyKey].length : 0;
    if (length < 1 || length > MAX_KEY) {
      throw refusal(
        `concurrencyKey must be a text of 1 to ${MAX_KEY} characters`,
      );
    }
    found.concurrencyKey = concurrencyKey;
  }
  if (priority !== undefined) {
    if (!Number.isInteger(priority) || Math.abs(priority) > MAX_PRIORITY) {
      throw refusal(
        `priority must be an integer from -${MAX_PRIORITY} to ${MAX_PRIORITY}`,
      );
    }
    found.priority = priority;
  }
  return found;
}

/** @param {string} problem */
function refusal(problem) {
  return new RangeError(`Workflow Studio: withRunOptions: ${problem}.`);
}

module.exports = { currentRunOptions, withRunOptions };
