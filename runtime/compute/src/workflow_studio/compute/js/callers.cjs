'use strict';
/**
 * What the SDK's `Run` reads a run for. It makes the same call for its return
 * value, its status and its key (source: @workflow/core 4.8.9, runtime/run.js);
 * who calls tells them apart.
 */

/** The method that reads a run until it has ended. */
const POLLER = 'pollReturnValue';
/** The method whose inner function reads a run to ask for its key with it. */
const KEY_READER = 'getEncryptionKey';

/** What to change on `Error` to read a stack as it is. */
const PLAINLY = Object.freeze({
  stackTraceLimit: 2,
  prepareStackTrace: functionNames,
});

/**
 * @param {unknown} _error
 * @param {NodeJS.CallSite[]} frames
 */
function functionNames(_error, frames) {
  return frames.map((frame) => frame.getFunctionName());
}

/**
 * Tell what a function was called for. If that cannot be known, for nothing in
 * particular.
 *
 * The names that are compared are those of properties, which bundlers and
 * minifiers keep, and they are read off V8's frames and not off a text, which
 * source maps and an `Error.prepareStackTrace` of the app's change.
 *
 * @param {(...args: any[]) => unknown} called
 * @returns {'return value' | 'key' | undefined}
 */
function purposeOf(called) {
  /** @type {[string, PropertyDescriptor | undefined][]} */
  const before = [];
  try {
    for (const [name, value] of Object.entries(PLAINLY)) {
      const own = Object.getOwnPropertyDescriptor(Error, name);
      Object.defineProperty(Error, name, {
        value,
        configurable: true,
        enumerable: true,
        writable: true,
      });
      before.push([name, own]);
    }
    const holder = { stack: /** @type {any} */ (undefined) };
    Error.captureStackTrace(holder, called);
    const [caller, outer] = holder.stack;
    if (caller === POLLER) return 'return value';
    return outer === KEY_READER ? 'key' : undefined;
  } catch {
    return undefined; // Error is frozen.
  } finally {
    for (const [name, own] of before) {
      if (own) Object.defineProperty(Error, name, own);
      else Reflect.deleteProperty(Error, name);
    }
  }
}

module.exports = { purposeOf };
