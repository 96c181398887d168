'use strict';
/**
 * Streams over the World lane: ordered writes, and reads that follow a stream
 * to its end by long polls.
 */

const { randomBytes } = require('node:crypto');
const { defined } = require('./queue.cjs');

/** @typedef {import('./world.cjs').Call} Call */

/** How long one poll may wait for a chunk; the worker allows no more. */
const POLL_WAIT_MS = 25_000;

const REPEATABLE = Object.freeze({ idempotent: true });

/** @param {Call} call */
function createStreamer(call) {
  const writerId = randomBytes(12).toString('hex');
  let sequence = 0;
  /**
   * The last write of each stream that is being written to. Writes go out one
   * after the other, so the worker sees them in the order they were made in.
   *
   * @type {Map<string, Promise<unknown>>}
   */
  const lastWrites = new Map();

  /**
   * @param {string} name
   * @param {() => Promise<unknown>} write
   * @returns {Promise<void>}
   */
  const inOrder = async (name, write) => {
    const result = (lastWrites.get(name) ?? Promise.resolve()).then(write);
    const settled = result.catch(() => {});
    lastWrites.set(name, settled);
    try {
      await result;
    } finally {
      if (lastWrites.get(name) === settled) lastWrites.delete(name);
    }
  };

  /** @type {(name: string, runId: string, chunks: (string | Uint8Array)[]) => Promise<void>} */
  const write = (name, runId, chunks) => {
    const bytes = chunks.map((chunk) =>
      typeof chunk === 'string' ? Buffer.from(chunk) : chunk,
    );
    const params = { name, runId, chunks: bytes, writerId, sequence };
    sequence += 1;
    return inOrder(name, () => call('streams.write', params, REPEATABLE));
  };

  return {
    write,
    /** @type {(name: string, runId: string) => Promise<void>} */
    close: (name, runId) =>
      inOrder(name, () => call('streams.close', { name, runId }, REPEATABLE)),
    /** @type {(name: string, startIndex?: number) => Promise<ReadableStream<Uint8Array>>} */
    read: (name, startIndex = 0) => readStream(call, name, startIndex),
    /** @type {(runId: string) => Promise<string[]>} */
    list: async (runId) =>
      (await call('streams.list', { runId }, REPEATABLE)).names,
    /** @type {(name: string, runId: string, options?: any) => Promise<any>} */
    chunks: (name, runId, options) =>
      call(
        'streams.chunks',
        defined({
          name,
          runId,
          limit: options?.limit,
          cursor: options?.cursor ?? undefined,
        }),
        REPEATABLE,
      ),
    /** @type {(name: string, runId: string) => Promise<any>} */
    info: (name, runId) => call('streams.info', { name, runId }, REPEATABLE),
  };
}

/**
 * Follow a stream from a chunk on until it is closed.
 *
 * @param {Call} call
 * @param {string} name
 * @param {number} startIndex Counts from the stream's present end if negative.
 * @returns {Promise<ReadableStream<Uint8Array>>}
 */
async function readStream(call, name, startIndex) {
  const abort = new AbortController();
  let index = startIndex;
  /** @param {number} waitMs */
  const poll = (waitMs) =>
    call(
      'streams.read',
      { name, startIndex: index, waitMs },
      { idempotent: true, waitMs, signal: abort.signal },
    );
  // A negative start counts from the end as it is when the stream is opened.
  let page = startIndex < 0 ? await poll(0) : undefined;

  return new ReadableStream(
    {
      async pull(controller) {
        try {
          do {
            page ??= await poll(POLL_WAIT_MS);
            const { chunks, nextIndex, done } = page;
            page = undefined;
            index = nextIndex;
            for (const chunk of chunks) controller.enqueue(chunk);
            if (done) return controller.close();
            if (chunks.length > 0) return;
          } while (!abort.signal.aborted);
        } catch (error) {
          if (!abort.signal.aborted) throw error;
        }
      },
      cancel() {
        abort.abort();
      },
    },
    { highWaterMark: 0 },
  );
}

module.exports = { createStreamer };
