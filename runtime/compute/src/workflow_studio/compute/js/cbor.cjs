'use strict';
/**
 * CBOR (RFC 8949), as much of it as the World lane uses.
 *
 * Values: null, booleans, numbers, strings, byte strings (Uint8Array), arrays,
 * maps with string keys (plain objects), and dates (tag 1). Integers that a
 * JavaScript number cannot hold, other tags and indefinite lengths are refused.
 */

const { decode } = require('./cbor-decode.cjs');
const { encode, kindOf } = require('./cbor-encode.cjs');
const { CborError, MAX_DEPTH } = require('./cbor-rules.cjs');

module.exports = { CborError, MAX_DEPTH, decode, encode, kindOf };
