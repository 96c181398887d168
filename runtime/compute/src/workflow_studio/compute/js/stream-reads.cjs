'use strict';
/**
 * Reads of streams, from a chunk on until the stream is closed: in one answer
 * that lasts, where the transport has such, and otherwise by long polls.
 */

const { setTimeout: pause } = require('node:timers/promises');

/** @typedef {import('./world.cjs').Call} Call */
/** @typedef {import('./world.cjs').Follow} Follow */
/** @typedef {import('./world.cjs').StreamPage} StreamPage */

/** How long one poll may wait for a chunk; the worker allows no more. */
const POLL_WAIT_MS = 25_000;
/** The pause before an answer is asked for again that ended and had nothing. */
const PAUSE_MS = 200;
/** Closed streams whose ends are remembered. */
const MAX_ENDS = 1000;

/**
 * @param {Call} call
 * @param {Follow} [follow]
 */
function createStreamReader(call, follow) {
  /**
   * How many chunks closed streams have that were read to their ends. It never
   * changes, and the SDK asks after each read.
   *
   * @type {Map<string, number>}
   */
  const ends = new Map();

  /**
   * @param {string} name
   * @param {number} count
   */
  const rememberEnd = (name, count) => {
    if (ends.size >= MAX_ENDS) {
      ends.delete(/** @type {string} */ (ends.keys().next().value));
    }
    ends.set(name, count);
  };

  /**
   * @param {string} name
   * @param {number} startIndex
   * @param {number} waitMs
   * @param {AbortSignal} signal
   * @returns {Promise<StreamPage>}
   */
  const poll = (name, startIndex, waitMs, signal) =>
    call(
      'streams.read',
      { name, startIndex, waitMs },
      { idempotent: true, waitMs, signal },
    );

  /**
   * @param {string} name
   * @param {number} startIndex
   * @param {AbortSignal} signal
   * @returns {AsyncGenerator<StreamPage>} The last one is done.
   */
  async function* pagesOf(name, startIndex, signal) {
    let index = startIndex;
    let isWhole = startIndex === 0;
    while (true) {
      const pages = (await follow?.({ name, startIndex: index }, signal)) ?? [
        await poll(name, index, POLL_WAIT_MS, signal),
      ];
      let rests = follow !== undefined;
      for await (const page of pages) {
        index = page.nextIndex;
        if (page.chunks.length > 0) [rests, isWhole] = [false, true];
        if (page.done && isWhole) rememberEnd(name, index);
        yield page;
        if (page.done) return;
      }
      if (rests) await pause(PAUSE_MS, undefined, { signal });
    }
  }

  return {
    /**
     * @param {string} name
     * @param {number} [startIndex] Counts from the stream's present end if negative.
     * @returns {Promise<ReadableStream<Uint8Array>>}
     */
    read: async (name, startIndex = 0) => {
      const abort = new AbortController();
      const { signal } = abort;
      /** @type {StreamPage | undefined} */
      let first;
      // A negative start counts from the end as it is when the stream is opened.
      if (startIndex < 0) first = await poll(name, startIndex, 0, signal);
      const pages = pagesOf(name, first ? first.nextIndex : startIndex, signal);

      return new ReadableStream(
        {
          async pull(controller) {
            try {
              while (!signal.aborted) {
                const page = first ?? (await pages.next()).value;
                first = undefined;
                if (!page) return controller.close();
                for (const chunk of page.chunks) controller.enqueue(chunk);
                if (page.done) return controller.close();
                if (page.chunks.length > 0) return;
              }
            } catch (error) {
              if (!signal.aborted) throw error;
            }
          },
          cancel() {
            abort.abort();
          },
        },
        { highWaterMark: 0 },
      );
    },
    /** @param {string} name */
    endOf: (name) => ends.get(name),
  };
}

module.exports = { createStreamReader };
