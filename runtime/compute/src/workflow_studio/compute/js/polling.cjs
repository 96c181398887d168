'use strict';
/**
 * The wait for a run's end, without the SDK's own pauses.
 *
 * `run.returnValue` reads the run again and again, a second apart, with the
 * very call that `run.status` makes once (source: @workflow/core 4.8.9,
 * runtime/run.js). Who calls tells the two apart.
 */

/** @typedef {import('./world.cjs').Call} Call */

/** The method of the SDK's `Run` that reads a run until it has ended. */
const POLLER = 'pollReturnValue';

/** How long one poll may wait for the end; the worker allows no more. */
const MAX_WAIT_MS = 25_000;
/** The caller's own pause; what is answered sooner, the caller shall repeat. */
const PAUSE_MS = 1_000;
/** Polls at once, unless told otherwise. Each may hold a connection. */
const MAX_POLLS = 256;

const FINISHED = Object.freeze(['completed', 'failed', 'cancelled']);
/** What to change on `Error` to read a stack as it is. */
const PLAINLY = Object.freeze({
  stackTraceLimit: 1,
  prepareStackTrace: firstFunction,
});

/**
 * @param {unknown} _error
 * @param {NodeJS.CallSite[]} frames
 */
function firstFunction(_error, frames) {
  return frames[0]?.getFunctionName();
}

/**
 * Tell whether a function was called by `run.returnValue`. If that cannot be
 * known, it was not.
 *
 * The name that is compared is a property's, which bundlers and minifiers keep,
 * and it is read off V8's frame and not off a text, which source maps and an
 * `Error.prepareStackTrace` of the app's change.
 *
 * @param {(...args: any[]) => unknown} called
 * @returns {boolean}
 */
function isForReturnValue(called) {
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
    const holder = { stack: undefined };
    Error.captureStackTrace(holder, called);
    return holder.stack === POLLER;
  } catch {
    return false; // Error is frozen.
  } finally {
    for (const [name, own] of before) {
      if (own) Object.defineProperty(Error, name, own);
      else Reflect.deleteProperty(Error, name);
    }
  }
}

/**
 * Make a function that reads a run when it has ended.
 *
 * It asks the worker to wait, over and over. A worker that answers too soon, as
 * it does when it is about to stop, when it has too many that wait, or when it
 * is too old to know of waiting, leaves the next question to the caller, who
 * pauses first.
 *
 * @param {(params: {runId: string, waitMs?: number}) => Promise<any>} read
 * @param {number} [maxPolls] How many may wait at once; the next ones do not.
 * @returns {(runId: string) => Promise<any>}
 */
function createRunPoller(read, maxPolls = MAX_POLLS) {
  let polls = 0;
  /** @param {string} runId */
  const poll = async (runId) => {
    let waitMs = MAX_WAIT_MS;
    while (true) {
      const asked = performance.now();
      const run = await read({ runId, waitMs });
      const took = performance.now() - asked;
      if (FINISHED.includes(run.status) || took < PAUSE_MS) return run;
      // Something on the way may cut what is quiet for too long: find out how
      // long it may be.
      waitMs =
        took < 0.9 * waitMs
          ? Math.max(waitMs / 2, PAUSE_MS)
          : Math.min(waitMs * 1.25, MAX_WAIT_MS);
    }
  };
  return async (runId) => {
    if (polls >= maxPolls) return read({ runId });
    polls += 1;
    try {
      return await poll(runId);
    } finally {
      polls -= 1;
    }
  };
}

module.exports = { createRunPoller, isForReturnValue };
