'use strict';
/**
 * Reads CBOR. The data may be hostile: a length is compared with what is left of
 * the data before anything is set aside for it.
 */

const {
  CborError,
  MAX_DEPTH,
  SHORT_TEXT,
  TWO_32,
} = require('./cbor-rules.cjs');

const SIMPLE = Object.freeze([false, true, null, undefined]);

// The byte order mark is text like any other here.
const textDecoder = new TextDecoder('utf-8', { fatal: true, ignoreBOM: true });

/** Reads one document. */
class Reader {
  /** @param {Uint8Array} data */
  constructor(data) {
    // A plain view: slicing a Buffer would share its memory.
    this.bytes = new Uint8Array(data.buffer, data.byteOffset, data.byteLength);
    this.view = new DataView(data.buffer, data.byteOffset, data.byteLength);
    this.offset = 0;
  }

  /** Make sure that so many bytes are left. @param {number} count */
  need(count) {
    if (count > this.bytes.length - this.offset) {
      throw new CborError('The CBOR data ends in the middle of a value.');
    }
  }

  /**
   * Step over some bytes.
   *
   * @param {number} count
   * @returns {number} Where they start.
   */
  take(count) {
    this.need(count);
    const start = this.offset;
    this.offset = start + count;
    return start;
  }

  /**
   * @param {number} info The low five bits of the first byte.
   * @returns {number}
   */
  argument(info) {
    if (info < 24) return info;
    if (info === 24) return this.view.getUint8(this.take(1));
    if (info === 25) return this.view.getUint16(this.take(2));
    if (info === 26) return this.view.getUint32(this.take(4));
    if (info !== 27) {
      throw new CborError('The CBOR data has an indefinite length.');
    }
    const start = this.take(8);
    const value =
      this.view.getUint32(start) * TWO_32 + this.view.getUint32(start + 4);
    if (value > Number.MAX_SAFE_INTEGER) {
      throw new CborError('The CBOR data has an integer beyond 2^53.');
    }
    return value;
  }

  /** @param {number} length @returns {string} */
  text(length) {
    const start = this.take(length);
    if (length <= SHORT_TEXT) {
      let text = '';
      let index = start;
      while (index < this.offset && this.bytes[index] < 0x80) {
        text += String.fromCharCode(this.bytes[index++]);
      }
      if (index === this.offset) return text;
    }
    try {
      return textDecoder.decode(this.bytes.subarray(start, this.offset));
    } catch {
      throw new CborError('The CBOR data has text that is not UTF-8.');
    }
  }

  /** @param {number} count @param {number} depth */
  array(count, depth) {
    // Every item takes a byte at least: a false count is found out at once.
    this.need(count);
    const items = [];
    for (let index = 0; index < count; index++) {
      items.push(this.value(depth + 1));
    }
    return items;
  }

  /** @param {number} count @param {number} depth */
  map(count, depth) {
    this.need(count * 2);
    /** @type {Record<string, unknown>} */
    const result = {};
    for (let index = 0; index < count; index++) {
      const key = this.value(depth + 1);
      if (typeof key !== 'string') {
        throw new CborError('The CBOR data has a map key that is not text.');
      }
      if (Object.hasOwn(result, key)) {
        throw new CborError('The CBOR data has a map key twice.');
      }
      const value = this.value(depth + 1);
      if (key === '__proto__') {
        // An assignment would change the object's prototype.
        Object.defineProperty(result, key, {
          value,
          enumerable: true,
          configurable: true,
          writable: true,
        });
      } else {
        result[key] = value;
      }
    }
    return result;
  }

  /** @param {number} info @returns {boolean | number | null | undefined} */
  simple(info) {
    if (info >= 20 && info <= 23) return SIMPLE[info - 20];
    if (info === 25) return halfFloat(this.view.getUint16(this.take(2)));
    if (info === 26) return this.view.getFloat32(this.take(4));
    if (info === 27) return this.view.getFloat64(this.take(8));
    throw new CborError(`The CBOR data has the unknown simple value ${info}.`);
  }

  /** @param {number} depth @returns {unknown} */
  value(depth) {
    if (depth > MAX_DEPTH) {
      throw new CborError(
        `The CBOR data is nested more than ${MAX_DEPTH} levels deep.`,
      );
    }
    const first = this.view.getUint8(this.take(1));
    const major = first >> 5;
    const info = first & 0x1f;
    if (major === 7) return this.simple(info);
    const argument = this.argument(info);
    switch (major) {
      case 0:
        return argument;
      case 1:
        if (argument === Number.MAX_SAFE_INTEGER) {
          throw new CborError('The CBOR data has an integer beyond -2^53.');
        }
        return -1 - argument;
      case 2: {
        const start = this.take(argument);
        return this.bytes.slice(start, this.offset);
      }
      case 3:
        return this.text(argument);
      case 4:
        return this.array(argument, depth);
      case 5:
        return this.map(argument, depth);
      default:
        return this.tagged(argument, depth);
    }
  }

  /** @param {number} tag @param {number} depth */
  tagged(tag, depth) {
    if (tag !== 1) throw new CborError(`The CBOR data has the tag ${tag}.`);
    const seconds = this.value(depth + 1);
    const date = new Date(
      typeof seconds === 'number' ? Math.round(seconds * 1000) : NaN,
    );
    if (Number.isNaN(date.getTime())) {
      throw new CborError('The CBOR data has a date that is no date.');
    }
    return date;
  }
}

/**
 * @param {number} bits
 * @returns {number} The half-precision float they stand for.
 */
function halfFloat(bits) {
  const sign = bits & 0x8000 ? -1 : 1;
  const exponent = (bits >> 10) & 0x1f;
  const fraction = bits & 0x3ff;
  if (exponent === 0) return sign * fraction * 2 ** -24;
  if (exponent === 31) return fraction ? NaN : sign * Infinity;
  return sign * (1024 + fraction) * 2 ** (exponent - 25);
}

/**
 * Decode one document.
 *
 * @param {Uint8Array} data
 * @returns {any}
 * @throws {CborError} If it is malformed, cut short, or followed by more bytes.
 */
function decode(data) {
  const reader = new Reader(data);
  const value = reader.value(0);
  if (reader.offset !== reader.bytes.length) {
    throw new CborError('The CBOR data is followed by more bytes.');
  }
  return value;
}

module.exports = { decode };
