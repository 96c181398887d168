'use strict';

/**
 * @typedef {object} Stream
 * @property {Uint8Array[]} chunks
 * @property {boolean} done
 * @property {Set<() => void>} readers What to call when there is more.
 */

function createStreamer() {
  /** @type {Map<string, Stream>} */
  const streams = new Map();
  /** @type {Map<string, Set<string>>} */
  const ofRun = new Map();

  /**
   * @param {string} name
   * @returns {Stream}
   */
  function streamOf(name) {
    let stream = streams.get(name);
    if (!stream) {
      stream = { chunks: [], done: false, readers: new Set() };
      streams.set(name, stream);
    }
    return stream;
  }

  /**
   * @param {string} name
   * @param {string} runId
   * @param {(string | Uint8Array)[]} chunks
   * @param {boolean} done
   */
  function write(name, runId, chunks, done) {
    const names = ofRun.get(runId) ?? new Set();
    ofRun.set(runId, names.add(name));
    const stream = streamOf(name);
    if (stream.done) return;
    for (const chunk of chunks) stream.chunks.push(Buffer.from(chunk));
    stream.done = done;
    for (const wake of [...stream.readers]) wake();
  }

  /**
   * @param {string} name
   * @param {number} [startIndex]
   */
  async function readFromStream(name, startIndex = 0) {
    const stream = streamOf(name);
    let next =
      startIndex < 0
        ? Math.max(0, stream.chunks.length + startIndex)
        : startIndex;
    /** @type {(() => void) | undefined} */
    let wake;
    return new ReadableStream({
      async pull(controller) {
        while (next >= stream.chunks.length && !stream.done) {
          await new Promise((resolve) => {
            wake = () => resolve(undefined);
            stream.readers.add(wake);
          });
          if (wake) stream.readers.delete(wake);
        }
        const chunk = stream.chunks[next];
        next += 1;
        if (chunk) controller.enqueue(new Uint8Array(chunk));
        else controller.close();
      },
      cancel() {
        if (wake) stream.readers.delete(wake);
      },
    });
  }

  return {
    readFromStream,
    /** @type {(name: string, runId: string, chunk: string | Uint8Array) => Promise<void>} */
    writeToStream: async (name, runId, chunk) =>
      write(name, runId, [chunk], false),
    /** @type {(name: string, runId: string, chunks: (string | Uint8Array)[]) => Promise<void>} */
    writeToStreamMulti: async (name, runId, chunks) =>
      write(name, runId, chunks, false),
    /** @type {(name: string, runId: string) => Promise<void>} */
    closeStream: async (name, runId) => write(name, runId, [], true),
    /** @param {string} runId */
    listStreamsByRunId: async (runId) => [...(ofRun.get(runId) ?? [])],
    /** @param {string} name */
    getStreamChunks: async (name) => {
      const { chunks, done } = streamOf(name);
      const data = chunks.map((chunk, index) => ({ index, data: chunk }));
      return { data, cursor: null, hasMore: false, done };
    },
    /** @param {string} name */
    getStreamInfo: async (name) => {
      const { chunks, done } = streamOf(name);
      return { tailIndex: chunks.length - 1, done };
    },
  };
}

module.exports = { createStreamer };
