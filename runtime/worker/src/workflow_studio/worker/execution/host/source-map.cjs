'use strict';
/**
 * A bundle's source map, read for the few positions that somebody looks at.
 *
 * The map of a step bundle is as large as the bundle, since the SDK and what
 * it needs are in it. Node's own `SourceMap` makes an object of each of its
 * segments: 75 MB and a third of a second, where 3 MB and a tenth of the time
 * do (measured with @workflow/core 4.8.9). So the segments stay text here, and
 * a lookup reads those of one line.
 */

const path = require('node:path');

const PREFIX = '//# sourceMappingURL=data:application/json;base64,';

/** Where the SDK's build writes its bundles; sources are named from there. */
const BUILT_IN = '.well-known/workflow/v1';

const PACKAGES = 'node_modules/';
const COMMA = 44;
const SEMICOLON = 59;
/** Four numbers are kept of each line: where its segments begin, and of the segment before. */
const FIELDS = 4;

/** The value of each character of base64. */
const DIGITS = new Uint8Array(128);
[...'ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/'].forEach(
  (character, value) => {
    DIGITS[character.charCodeAt(0)] = value;
  },
);

/**
 * @typedef {object} Position
 * @property {string} file The file, relative to the app.
 * @property {number} line From 1.
 * @property {number} column From 1.
 */

/**
 * @param {string} source A source as a map names it.
 * @returns {string} The file, relative to the app; of a package, from
 *   `node_modules` on.
 */
function relativeToApp(source) {
  const inPackage = source.lastIndexOf(PACKAGES);
  if (inPackage >= 0) return source.slice(inPackage);
  return source.startsWith('../')
    ? path.posix.join(BUILT_IN, source)
    : source.replace(/^\.\//, '');
}

/** Reads the segments of a map, one after the other (source: ECMA-426, "mappings"). */
class Segments {
  /** @param {string} mappings */
  constructor(mappings) {
    this.mappings = mappings;
    this.at = 0;
    this.source = 0;
    this.line = 0;
    this.column = 0;
    this.generatedColumn = 0;
  }

  /** @returns {number} The next number. */
  number() {
    let value = 0;
    let shift = 0;
    let digit;
    do {
      digit = DIGITS[this.mappings.charCodeAt(this.at++)];
      value += (digit & 31) << shift;
      shift += 5;
    } while (digit & 32);
    return value & 1 ? -(value >>> 1) : value >>> 1;
  }

  /** @returns {boolean} Whether the line is over. */
  lineIsOver() {
    return (
      this.at >= this.mappings.length ||
      this.mappings.charCodeAt(this.at) === SEMICOLON
    );
  }

  /** @returns {boolean} Whether the segment is over. */
  isOver() {
    return this.lineIsOver() || this.mappings.charCodeAt(this.at) === COMMA;
  }

  /** @returns {boolean} Read a segment; whether it has a source. */
  next() {
    if (this.mappings.charCodeAt(this.at) === COMMA) this.at += 1;
    this.generatedColumn += this.number();
    const hasSource = !this.isOver();
    if (hasSource) {
      this.source += this.number();
      this.line += this.number();
      this.column += this.number();
    }
    while (!this.isOver()) this.number();
    return hasSource;
  }
}

/**
 * @param {string} mappings
 * @returns {Int32Array} Where each line begins, and the state there.
 */
function index(mappings) {
  let lines = 1;
  for (let at = 0; at < mappings.length; at += 1) {
    if (mappings.charCodeAt(at) === SEMICOLON) lines += 1;
  }
  const starts = new Int32Array(lines * FIELDS);
  const segments = new Segments(mappings);
  for (let line = 0; line < lines; line += 1) {
    const { at, source, line: original, column } = segments;
    starts.set([at, source, original, column], line * FIELDS);
    segments.generatedColumn = 0;
    while (!segments.lineIsOver()) segments.next();
    segments.at += 1;
  }
  return starts;
}

/**
 * Read the map that a bundle ends with.
 *
 * @param {Buffer | string} code The bundle.
 * @returns {((line: number, column: number) => Position | undefined) | undefined}
 *   Finds what is at a position of the bundle, both from 1. Undefined if there
 *   is no map.
 */
function readSourceMap(code) {
  const at = code.lastIndexOf(PREFIX);
  if (at < 0) return undefined;
  const [encoded] = code
    .slice(at + PREFIX.length)
    .toString('latin1')
    .split('\n', 1);
  const map = JSON.parse(Buffer.from(encoded, 'base64').toString());
  /** @type {{sources: string[], mappings: string}} */
  const { sources, mappings } = map;
  const starts = index(mappings);

  return (line, column) => {
    const start = (line - 1) * FIELDS;
    if (!(start >= 0 && start < starts.length)) return undefined;
    const segments = new Segments(mappings);
    [segments.at, segments.source, segments.line, segments.column] =
      starts.subarray(start, start + FIELDS);
    /** @type {Position | undefined} */
    let found;
    while (!segments.lineIsOver()) {
      const hasSource = segments.next();
      if (segments.generatedColumn > column - 1) break;
      found = hasSource
        ? {
            file: relativeToApp(sources[segments.source]),
            line: segments.line + 1,
            column: segments.column + 1,
          }
        : undefined;
    }
    return found;
  };
}

module.exports = { readSourceMap };
