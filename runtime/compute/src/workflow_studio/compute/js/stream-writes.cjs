'use strict';
/**
 * Writes to streams. A write resolves once it is on its way, and closing a
 * stream once all of it is stored.
 *
 * The SDK awaits each write before it takes the next chunk, so writes that
 * waited for the disk would go as fast as one chunk per commit. Its callers
 * learn nothing from the wait: what they write to is a transform in front of
 * it, whose writes resolve when a chunk is taken (source: @workflow/core 4.8.9,
 * flushable-stream.js). So what comes while a write is under way is gathered,
 * and goes to the worker as one write: it is stored in one commit, in order,
 * and with the close if that has come, too.
 *
 * A write that fails is told by the next one to its stream, or by the close.
 */

const { randomBytes } = require('node:crypto');

/** @typedef {import('./world.cjs').Call} Call */
/**
 * @typedef {object} Failure
 * @property {unknown} error
 */
/**
 * @typedef {object} Write
 * @property {string} runId
 * @property {Uint8Array[]} chunks
 * @property {boolean} closes
 * @property {Promise<void>} stored Resolves when it is not on its way any more.
 * @property {() => void} settle Resolves it.
 */
/**
 * @typedef {object} Line What is on its way to one stream.
 * @property {Write[]} queue What has not been sent.
 * @property {number} size Bytes of it.
 * @property {Write} last
 * @property {(() => void)[]} full Who waits for room.
 * @property {Failure} [failure]
 */

/** Bytes that may be gathered for a stream; a write that makes them more waits. */
const MAX_GATHERED = 1024 * 1024;
/** Writes that may be gathered. */
const MAX_WRITES = 1000;
/** Failures that are kept until somebody asks. */
const MAX_FAILURES = 1000;

const REPEATABLE = Object.freeze({ idempotent: true });

/**
 * @param {Call} call
 * @param {(stored: Promise<void>) => void} [onAhead] Hears of each write, in
 *   the course of whatever makes it. The promise never rejects.
 */
function createStreamWriter(call, onAhead) {
  const writerId = randomBytes(12).toString('hex');
  let sequence = 0;
  /** @type {Map<string, Line>} */
  const lines = new Map();
  /** @type {Map<string, Failure>} */
  const failures = new Map();

  /**
   * @param {string} name
   * @param {Write[]} writes
   * @returns {Promise<void>}
   */
  const send = (name, writes) => {
    const [{ runId }] = writes;
    const { closes } = /** @type {Write} */ (writes.at(-1));
    const chunks = writes.flatMap((write) => write.chunks);
    if (chunks.length === 0) {
      return call('streams.close', { name, runId }, REPEATABLE);
    }
    const params = { name, runId, chunks, writerId, sequence };
    sequence += 1;
    return call(
      'streams.write',
      closes ? { ...params, closes } : params,
      REPEATABLE,
    );
  };

  /**
   * Send what has come for a stream, until nothing comes while it is sent.
   *
   * @param {string} name
   * @param {Line} line
   */
  const work = async (name, line) => {
    const { queue } = line;
    while (queue.length > 0) {
      let writes = queue.splice(0, together(queue));
      line.size -= sizeOf(writes);
      try {
        await send(name, writes);
      } catch (error) {
        line.failure = { error };
        if (failures.size >= MAX_FAILURES) {
          failures.delete(/** @type {string} */ (failures.keys().next().value));
        }
        failures.set(name, line.failure);
        writes = writes.concat(queue.splice(0));
      }
      if (queue.length === 0) lines.delete(name);
      for (const { settle } of writes) settle();
      for (const wake of line.full.splice(0)) wake();
    }
  };

  /**
   * @param {string} name
   * @param {string} runId
   * @param {Uint8Array[]} chunks
   * @param {boolean} closes
   * @returns {Line}
   */
  const enqueue = (name, runId, chunks, closes) => {
    const failure = failures.get(name);
    if (failure) {
      failures.delete(name);
      throw failure.error;
    }
    let settle = () => {};
    /** @type {Promise<void>} */
    const stored = new Promise((resolve) => {
      settle = resolve;
    });
    const write = { runId, chunks, closes, stored, settle };
    const known = lines.get(name);
    const line = known ?? { queue: [], size: 0, last: write, full: [] };
    line.queue.push(write);
    line.size += sizeOf([write]);
    line.last = write;
    onAhead?.(stored);
    if (!known) {
      lines.set(name, line);
      void work(name, line);
    }
    return line;
  };

  /**
   * @param {string} name
   * @param {Line} line
   */
  const throwFailure = (name, { failure }) => {
    if (!failure) return;
    if (failures.get(name) === failure) failures.delete(name);
    throw failure.error;
  };

  /** @param {Line} line */
  const isFull = ({ queue, size }) =>
    size > MAX_GATHERED || queue.length > MAX_WRITES;

  return {
    /** @type {(name: string, runId: string, chunks: (string | Uint8Array)[]) => Promise<void>} */
    write: async (name, runId, chunks) => {
      if (chunks.length === 0) return;
      const bytes = chunks.map((chunk) =>
        typeof chunk === 'string' ? Buffer.from(chunk) : chunk,
      );
      const line = enqueue(name, runId, bytes, false);
      while (isFull(line)) {
        await new Promise((resolve) =>
          line.full.push(() => resolve(undefined)),
        );
      }
      throwFailure(name, line);
    },
    /** @type {(name: string, runId: string) => Promise<void>} */
    close: async (name, runId) => {
      const line = enqueue(name, runId, [], true);
      await line.last.stored;
      throwFailure(name, line);
    },
    /**
     * Wait until what has been written is stored.
     *
     * @param {string} [name] The stream; without it, all of them.
     */
    stored: async (name) => {
      if (name !== undefined) return lines.get(name)?.last.stored;
      await Promise.all(Array.from(lines.values(), ({ last }) => last.stored));
    },
  };
}

/**
 * @param {Write[]} queue
 * @returns {number} How many of them make one write: those of one run, up to the close.
 */
function together(queue) {
  const [{ runId }] = queue;
  const end = queue.findIndex(
    (write, n) => write.runId !== runId || queue[n - 1]?.closes,
  );
  return end < 0 ? queue.length : end;
}

/** @param {Write[]} writes */
function sizeOf(writes) {
  let size = 0;
  for (const { chunks } of writes) {
    for (const chunk of chunks) size += chunk.byteLength;
  }
  return size;
}

module.exports = { createStreamWriter };
