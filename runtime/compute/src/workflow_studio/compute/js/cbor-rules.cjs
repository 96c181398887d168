'use strict';
/**
 * What the encoder and the decoder of CBOR have to agree on.
 */

/** Nesting that is written or accepted; the worker accepts as much. */
const MAX_DEPTH = 64;
const TWO_32 = 0x1_0000_0000;
/** Up to this length, texts go without the text codecs, which is faster. */
const SHORT_TEXT = 40;

/** The data is not CBOR that `decode` reads, or `encode` cannot write the value. */
class CborError extends Error {
  /** @param {string} message */
  constructor(message) {
    super(message);
    this.name = 'CborError';
  }
}

module.exports = { CborError, MAX_DEPTH, SHORT_TEXT, TWO_32 };
