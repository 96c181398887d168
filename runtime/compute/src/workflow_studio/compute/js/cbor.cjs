'use strict';
/**
 * CBOR (RFC 8949), as much of it as the World lane uses.
 *
 * Values: null, booleans, numbers, strings, byte strings (Uint8Array), arrays,
 * maps with string keys (plain objects), and dates (tag 1). Integers that a
 * JavaScript number cannot hold, other tags and indefinite lengths are refused.
 *
 * Values may come from another realm (the Workflow SDK runs workflows in a VM
 * context), so nothing here relies on `instanceof`.
 */

/** Nesting that is written or accepted; the worker accepts as much. */
const MAX_DEPTH = 64;
const TWO_32 = 0x1_0000_0000;
const SHORT_TEXT = 40;
const SIMPLE = Object.freeze([false, true, null, undefined]);

const textEncoder = new TextEncoder();
// The byte order mark is text like any other here.
const textDecoder = new TextDecoder('utf-8', { fatal: true, ignoreBOM: true });

/** The data is not CBOR that this module reads, or the value cannot be written. */
class CborError extends Error {
  /** @param {string} message */
  constructor(message) {
    super(message);
    this.name = 'CborError';
  }
}

/**
 * @param {unknown} value
 * @returns {string} The value's built-in kind, such as `[object Date]`.
 */
function kindOf(value) {
  return Object.prototype.toString.call(value);
}

/** A buffer that grows as it is written to. */
class Writer {
  constructor() {
    this.bytes = new Uint8Array(512);
    this.view = new DataView(this.bytes.buffer);
    this.length = 0;
  }

  /**
   * Make room for more bytes.
   *
   * @param {number} count
   * @returns {number} Where they go.
   */
  reserve(count) {
    const offset = this.length;
    this.length = offset + count;
    if (this.length > this.bytes.length) {
      const bytes = new Uint8Array(
        Math.max(this.bytes.length * 2, this.length),
      );
      bytes.set(this.bytes.subarray(0, offset));
      this.bytes = bytes;
      this.view = new DataView(bytes.buffer);
    }
    return offset;
  }

  /** @param {number} value */
  byte(value) {
    const offset = this.reserve(1);
    this.bytes[offset] = value;
  }

  /** @param {Uint8Array} bytes */
  raw(bytes) {
    const offset = this.reserve(bytes.length);
    this.bytes.set(bytes, offset);
  }

  /**
   * Write a major type (0 to 7) and its argument.
   *
   * @param {number} major
   * @param {number} argument
   */
  head(major, argument) {
    const top = major << 5;
    if (argument < 24) {
      this.byte(top | argument);
    } else if (argument < 0x100) {
      const offset = this.reserve(2);
      this.view.setUint8(offset, top | 24);
      this.view.setUint8(offset + 1, argument);
    } else if (argument < 0x10000) {
      const offset = this.reserve(3);
      this.view.setUint8(offset, top | 25);
      this.view.setUint16(offset + 1, argument);
    } else if (argument < TWO_32) {
      const offset = this.reserve(5);
      this.view.setUint8(offset, top | 26);
      this.view.setUint32(offset + 1, argument);
    } else {
      const offset = this.reserve(9);
      this.view.setUint8(offset, top | 27);
      this.view.setUint32(offset + 1, Math.floor(argument / TWO_32));
      this.view.setUint32(offset + 5, argument % TWO_32);
    }
  }

  /** @param {number} value */
  number(value) {
    if (Number.isSafeInteger(value) && !Object.is(value, -0)) {
      if (value >= 0) this.head(0, value);
      else this.head(1, -1 - value);
      return;
    }
    const offset = this.reserve(9);
    this.view.setUint8(offset, 0xfb);
    this.view.setFloat64(offset + 1, value);
  }

  /** @param {string} value */
  text(value) {
    if (value.length <= SHORT_TEXT && this.shortAscii(value)) return;
    const bytes = textEncoder.encode(value);
    this.head(3, bytes.length);
    this.raw(bytes);
  }

  /**
   * Write a short text if it is ASCII: keys are, and for them this is faster.
   *
   * @param {string} value
   * @returns {boolean} Whether it was written.
   */
  shortAscii(value) {
    const start = this.length;
    this.head(3, value.length);
    let offset = this.reserve(value.length);
    for (let index = 0; index < value.length; index++) {
      const code = value.charCodeAt(index);
      if (code >= 0x80) {
        this.length = start;
        return false;
      }
      this.bytes[offset++] = code;
    }
    return true;
  }

  /** @param {Uint8Array} value */
  byteString(value) {
    this.head(2, value.length);
    this.raw(value);
  }
}

/**
 * Tell whether a map entry with this value is left out, as JSON does.
 *
 * @param {unknown} value
 */
function isAbsent(value) {
  return (
    value === undefined ||
    typeof value === 'function' ||
    typeof value === 'symbol'
  );
}

/**
 * @param {Writer} writer
 * @param {any} value
 * @param {number} depth
 */
function writeValue(writer, value, depth) {
  if (depth > MAX_DEPTH) {
    throw new CborError(
      `Cannot encode a value nested more than ${MAX_DEPTH} levels deep, or one that contains itself.`,
    );
  }
  if (value === null || isAbsent(value)) {
    writer.byte(0xf6);
  } else if (typeof value === 'boolean') {
    writer.byte(value ? 0xf5 : 0xf4);
  } else if (typeof value === 'number') {
    writer.number(value);
  } else if (typeof value === 'string') {
    writer.text(value);
  } else if (typeof value === 'object') {
    writeObject(writer, value, depth);
  } else {
    throw new CborError(`Cannot encode a ${typeof value}.`);
  }
}

/**
 * @param {Writer} writer
 * @param {any} value
 * @param {number} depth
 */
function writeObject(writer, value, depth) {
  if (Array.isArray(value)) {
    writer.head(4, value.length);
    for (const item of value) writeValue(writer, item, depth + 1);
    return;
  }
  const kind = kindOf(value);
  if (kind === '[object Uint8Array]') {
    writer.byteString(value);
  } else if (kind === '[object ArrayBuffer]') {
    writer.byteString(new Uint8Array(value));
  } else if (kind === '[object Date]') {
    const milliseconds = Date.prototype.getTime.call(value);
    if (Number.isNaN(milliseconds)) {
      throw new CborError('Cannot encode an invalid Date.');
    }
    writer.head(6, 1);
    writer.number(milliseconds / 1000);
  } else if (
    kind === '[object Map]' ||
    kind === '[object Set]' ||
    ArrayBuffer.isView(value)
  ) {
    throw new CborError(`Cannot encode a ${kind.slice(8, -1)}.`);
  } else {
    const entries = Object.entries(value).filter((entry) => !isAbsent(entry[1]));
    writer.head(5, entries.length);
    for (const [key, item] of entries) {
      writer.text(key);
      writeValue(writer, item, depth + 1);
    }
  }
}

/**
 * Encode a value.
 *
 * Map entries that are `undefined` are left out; elsewhere `undefined` is null.
 *
 * @param {unknown} value
 * @returns {Uint8Array}
 * @throws {CborError} If it holds something that has no encoding here.
 */
function encode(value) {
  const writer = new Writer();
  writeValue(writer, value, 0);
  return writer.bytes.slice(0, writer.length);
}

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

module.exports = { CborError, MAX_DEPTH, decode, encode, kindOf };
