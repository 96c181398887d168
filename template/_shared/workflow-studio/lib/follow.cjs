// Follows streams in one answer that lasts: the worker writes each chunk into
// it as soon as it is stored. The body is a CBOR sequence (RFC 8742) of byte
// strings, each of which holds a page of the stream.
'use strict';

const { decode, encode } = require('./cbor.cjs');
const { prepare } = require('./connection.cjs');
const { open } = require('./transport.cjs');

/** @typedef {import('../types').ResolvedConfig} ResolvedConfig */
/** @typedef {import('./world.cjs').StreamPage} StreamPage */

const SEQUENCE = 'application/cbor-seq';
// The head of an item: a byte string, and its length in 32 bits.
const BYTE_STRING = 0x5a;
const HEAD_SIZE = 5;
// The first page is sent at once. If it does not come, something on the way
// may be gathering the answer.
const FIRST_PAGE_MS = 3_000;
// The worker says something every 15 seconds.
const SILENCE_MS = 45_000;
const UNAVAILABLE_MS = 60_000;

/**
 * @param {() => ResolvedConfig} settings
 * @returns {import('./world.cjs').Follow}
 */
function createFollower(settings) {
  /** When it is worth trying again. */
  let availableAt = 0;

  return async (params, signal) => {
    if (Date.now() < availableAt) return undefined;
    const config = settings();
    const content = encode({ ...params, follow: true });
    const exchange = prepare(config, 'streams.read', content);
    exchange.headers.accept = `${SEQUENCE}, ${exchange.headers.accept}`;
    const end = new AbortController();
    exchange.signal = AbortSignal.any([signal, end.signal]);
    let isLate = false;
    const late = setTimeout(() => {
      isLate = true;
      end.abort();
    }, FIRST_PAGE_MS);
    try {
      const baseUrl = /** @type {string} */ (config.baseUrl);
      const { status, headers, body } = await open(baseUrl, exchange);
      if (status === 200 && headers['content-type']?.startsWith(SEQUENCE)) {
        const pages = pagesOf(body, end);
        const first = await pages.next();
        if (!first.done) return startingWith(first.value, pages);
      } else {
        end.abort();
        // A refusal is told by the poll that follows.
        if (status === 200) availableAt = Date.now() + UNAVAILABLE_MS;
      }
    } catch {
      // So is what keeps the worker from answering.
    } finally {
      clearTimeout(late);
    }
    signal.throwIfAborted();
    if (isLate) availableAt = Date.now() + UNAVAILABLE_MS;
    return undefined;
  };
}

/**
 * @param {StreamPage} first
 * @param {AsyncGenerator<StreamPage>} rest
 * @returns {AsyncGenerator<StreamPage>}
 */
async function* startingWith(first, rest) {
  try {
    yield first;
    yield* rest;
  } finally {
    await rest.return(undefined);
  }
}

/**
 * @param {AsyncIterable<Uint8Array>} body
 * @param {AbortController} end Ends the request.
 * @returns {AsyncGenerator<StreamPage>} Pages until the answer ends or is cut.
 */
async function* pagesOf(body, end) {
  const parts = body[Symbol.asyncIterator]();
  const items = new ItemReader();
  const silence = setTimeout(() => end.abort(), SILENCE_MS);
  silence.unref();
  const stop = () => {
    clearTimeout(silence);
    end.abort();
  };
  let isDone = false;
  try {
    while (true) {
      silence.refresh();
      const { done, value } = await parts.next();
      if (done) return;
      for (const item of items.push(value)) {
        const page = decode(item);
        isDone = page.done;
        yield page;
      }
    }
  } catch {
    // It was cut. The stream goes on where it was.
  } finally {
    // The connection can be used again once the body has come to its end.
    if (isDone) void parts.next().then(stop, stop);
    else stop();
  }
}

/** Cuts a body into the items it is made of. */
class ItemReader {
  constructor() {
    /** @type {Uint8Array[]} */
    this.parts = [];
    this.length = 0;
    /** The whole length of the item being read; 0 if it is not known yet. */
    this.wanted = 0;
  }

  /**
   * @param {Uint8Array} part
   * @returns {Generator<Uint8Array>} The items that are complete with it.
   */
  *push(part) {
    this.parts.push(part);
    this.length += part.length;
    while (this.length >= (this.wanted || HEAD_SIZE)) {
      // Joined once per head and once per item, however many parts it has.
      const bytes =
        this.parts.length === 1 ? this.parts[0] : Buffer.concat(this.parts);
      this.parts = [bytes];
      if (this.wanted === 0) {
        if (bytes[0] !== BYTE_STRING) {
          throw new Error('The worker sent something that is no page.');
        }
        const { buffer, byteOffset } = bytes;
        this.wanted = HEAD_SIZE + new DataView(buffer, byteOffset).getUint32(1);
        continue;
      }
      const item = bytes.subarray(HEAD_SIZE, this.wanted);
      this.parts = [bytes.subarray(this.wanted)];
      this.length -= this.wanted;
      this.wanted = 0;
      yield item;
    }
  }
}

module.exports = { createFollower };
