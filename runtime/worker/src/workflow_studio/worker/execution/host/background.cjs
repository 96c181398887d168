'use strict';
/**
 * What a delivery leaves to be done in the background: flushing its streams.
 *
 * The SDK does that while it records the end of a step (source: @workflow/core
 * 4.8.9, step-handler.js). If the process died in between, the step would have
 * ended and nobody would write the rest of its streams. So the end of a step is
 * held back until its streams are flushed.
 */

/**
 * After so long without a write there is nothing to flush: the SDK hands a chunk
 * on in the next milliseconds. A task may last though, as one does whose step
 * never lets go of a writer.
 */
const QUIET_MS = 50;

/** A stream that goes on is not waited for. */
const FLUSH_LIMIT_MS = 2000;

/** @param {number} ms */
const sleep = (ms) => new Promise((resolve) => setTimeout(resolve, ms));

function createBackground() {
  /** @type {Set<Promise<unknown>>} */
  const tasks = new Set();
  /** @type {Set<Promise<void>>} What was written to streams and is on its way. */
  const onTheirWay = new Set();
  let writing = 0;
  let lastWrite = 0;

  /** Wait for what is on its way now. More may come all the time. */
  const stored = async () => {
    await Promise.all(onTheirWay);
  };

  return {
    stored,

    /** @param {Promise<void>} write Resolves when it is stored; never rejects. */
    ahead(write) {
      onTheirWay.add(write);
      void write.then(() => onTheirWay.delete(write));
    },

    /** @param {Promise<unknown>} task Never rejects. */
    async finish(task) {
      tasks.add(task);
      await task;
      tasks.delete(task);
    },

    /** @param {Promise<unknown>} write */
    writes(write) {
      writing += 1;
      const ended = () => {
        writing -= 1;
        lastWrite = performance.now();
      };
      write.then(ended, ended);
    },

    async flushed() {
      // The SDK leaves its tasks in the turn in which it ends the step, but
      // behind an import.
      await new Promise(setImmediate);
      const since = performance.now();
      while (tasks.size > 0) {
        const now = performance.now();
        const quiet = now - Math.max(since, lastWrite);
        if (now - since >= FLUSH_LIMIT_MS) break;
        if (writing === 0 && quiet >= QUIET_MS) break;
        await Promise.race([
          Promise.all(tasks),
          sleep(writing > 0 ? QUIET_MS : QUIET_MS - quiet),
        ]);
      }
      await stored();
    },
  };
}

module.exports = { createBackground };
