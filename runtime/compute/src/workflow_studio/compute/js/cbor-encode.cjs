'use strict';
/**
 * Writes CBOR. Values may come from another realm (the Workflow SDK runs
 * workflows in a VM context), so nothing here relies on `instanceof`.
 */

const {
  CborError,
  MAX_DEPTH,
  SHORT_TEXT,
  TWO_32,
} = require('./cbor-rules.cjs');

const textEncoder = new TextEncoder();

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
    const entries = Object.entries(value).filter(
      (entry) => !isAbsent(entry[1]),
    );
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

module.exports = { encode, kindOf };
