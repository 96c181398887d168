'use strict';
/**
 * The wait for a run's end, without the SDK's own pauses: `run.returnValue`
 * reads the run again and again, a second apart (source: @workflow/core 4.8.9,
 * runtime/run.js).
 */

/** @typedef {import('./world.cjs').Call} Call */

/** How long one poll may wait for the end; the worker allows no more. */
const MAX_WAIT_MS = 25_000;
/** The caller's own pause; what is answered sooner, the caller shall repeat. */
const PAUSE_MS = 1_000;
/** Polls at once, unless told otherwise. Each may hold a connection. */
const MAX_POLLS = 256;

const FINISHED = Object.freeze(['completed', 'failed', 'cancelled']);

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

module.exports = { createRunPoller };
