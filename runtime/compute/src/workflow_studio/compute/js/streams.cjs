'use strict';
/** Streams over the World lane. */

const { defined } = require('./queue.cjs');
const { createStreamReader } = require('./stream-reads.cjs');
const { createStreamWriter } = require('./stream-writes.cjs');

const REPEATABLE = Object.freeze({ idempotent: true });

/**
 * @param {import('./world.cjs').Call} call
 * @param {import('./world.cjs').Follow} [follow]
 * @param {(stored: Promise<void>) => void} [onAhead]
 */
function createStreamer(call, follow, onAhead) {
  const { write, close, stored } = createStreamWriter(call, onAhead);
  const reader = createStreamReader(call, follow);

  return {
    write,
    close,
    stored,
    /** @type {(name: string, startIndex?: number) => Promise<ReadableStream<Uint8Array>>} */
    read: async (name, startIndex) => {
      await stored(name);
      return reader.read(name, startIndex);
    },
    /** @type {(runId: string) => Promise<string[]>} */
    list: async (runId) => {
      await stored();
      return (await call('streams.list', { runId }, REPEATABLE)).names;
    },
    /** @type {(name: string, runId: string, options?: any) => Promise<any>} */
    chunks: async (name, runId, options) => {
      await stored(name);
      return call(
        'streams.chunks',
        defined({
          name,
          runId,
          limit: options?.limit,
          cursor: options?.cursor ?? undefined,
        }),
        REPEATABLE,
      );
    },
    /** @type {(name: string, runId: string) => Promise<any>} */
    info: async (name, runId) => {
      const count = reader.endOf(name);
      if (count !== undefined) return { tailIndex: count - 1, done: true };
      await stored(name);
      return call('streams.info', { name, runId }, REPEATABLE);
    },
  };
}

module.exports = { createStreamer };
