'use strict';
/**
 * What deliveries print, sent to the worker in batches.
 *
 * Everything still goes where it is printed to as well: the worker's log. User
 * code never waits for any of this, and nothing here prints.
 */

const { createConsoles } = require('./consoles.cjs');

const MAX_LINE_LENGTH = 16 * 1024;
/** Lines of a delivery that wait to be sent; older ones make room for newer. */
const MAX_LINES = 10_000;
/** Characters of a delivery that wait to be sent. */
const MAX_SIZE = 1024 * 1024;
/** Characters of all deliveries together that wait to be sent. */
const MAX_TOTAL_SIZE = 16 * 1024 * 1024;
const BATCH_MS = 50;

/** @typedef {import('./consoles.cjs').Level} Level */

/**
 * A line. `cut` is how many characters it had beyond the longest length, and
 * `line` is its number among those that this replay of the workflow function
 * has printed, from 0; steps have none.
 *
 * @typedef {{ at: number, level: Level, text: string, cut?: number, line?: number }} Line
 */

/**
 * What a delivery has printed.
 *
 * @typedef {object} Printout
 * @property {string} delivery
 * @property {{ add: (length: number, print: () => void) => void, release: () => void } | undefined} held
 *   Keeps what is printed as long as there is no delivery.
 * @property {boolean} isReplay Whether it replays a workflow function.
 * @property {number | undefined} attempt The step's attempt, once it is known.
 * @property {(Line | undefined)[]} lines Those not sent yet, from `first` on.
 * @property {number} first
 * @property {number} size
 * @property {number} dropped Lines that were not kept since the last batch.
 * @property {Map<string, Line>} begun Lines without an end yet, by stream.
 * @property {number} unstored Batches that were sent and that the worker has not stored yet.
 * @property {boolean} hasEnded
 */

// Bound early, since bundles may put others in their place.
const { setTimeout } = globalThis;
const now = Date.now;
const wellFormed = Function.prototype.call.bind(String.prototype.toWellFormed);
const STEP_CONTEXT = Symbol.for('WORKFLOW_STEP_CONTEXT_STORAGE');

/**
 * @returns {number | undefined} The attempt of the step that the calling code
 *   belongs to (source: @workflow/core 4.8.9, step/context-storage.js).
 */
function stepAttempt() {
  const storage = /** @type {any} */ (globalThis)[STEP_CONTEXT];
  const attempt = storage?.getStore()?.stepMetadata?.attempt;
  return Number.isSafeInteger(attempt) && attempt > 0 ? attempt : undefined;
}

/**
 * @param {object} options
 * @param {() => Printout | undefined} options.current What the calling code prints to.
 * @param {(frame: Record<string, unknown>) => boolean} options.send
 * @param {(text: string) => string} options.shown Makes what is printed fit to be read.
 */
function createOutput({ current, send, shown }) {
  /** @type {Map<string, Printout>} */
  const awaited = new Map();
  /** @type {Set<Printout>} */
  const waiting = new Set();
  let totalSize = 0;
  let isScheduled = false;
  const consoles = createConsoles(() => current()?.isReplay === true);
  /** @param {Printout} printout */
  const dropOldest = (printout) => {
    const line = /** @type {Line} */ (printout.lines[printout.first]);
    printout.lines[printout.first++] = undefined;
    if (printout.first > MAX_LINES) {
      printout.lines = printout.lines.slice(printout.first);
      printout.first = 0;
    }
    printout.size -= line.text.length;
    totalSize -= line.text.length;
    printout.dropped += 1;
  };

  /**
   * @param {Printout} printout
   * @param {Line} line
   */
  const keep = (printout, line) => {
    const number = consoles.numberOfLine();
    if (number !== undefined) line.line = number;
    line.text = wellFormed(line.text);
    printout.lines.push(line);
    printout.size += line.text.length;
    totalSize += line.text.length;
    while (
      printout.lines.length - printout.first > MAX_LINES ||
      printout.size > MAX_SIZE ||
      (totalSize > MAX_TOTAL_SIZE && printout.size > 0)
    ) {
      dropOldest(printout);
    }
  };

  /** @param {Printout} printout */
  const sendBatch = (printout) => {
    waiting.delete(printout);
    const { delivery, attempt, dropped } = printout;
    const lines = printout.lines.slice(printout.first);
    if (lines.length === 0 && dropped === 0) return;
    totalSize -= printout.size;
    Object.assign(printout, { lines: [], first: 0, size: 0, dropped: 0 });
    printout.unstored += 1;
    awaited.set(delivery, printout);
    send({ t: 'output', delivery, attempt, lines, dropped });
  };

  const sendBatches = () => {
    isScheduled = false;
    for (const printout of waiting) {
      if (printout.hasEnded) endLines(printout);
      // Until the worker has stored what was sent, the next batch grows, and
      // loses its oldest lines in the end.
      if (printout.unstored === 0) sendBatch(printout);
    }
  };

  /** @param {Printout} printout */
  const schedule = (printout) => {
    waiting.add(printout);
    if (isScheduled) return;
    isScheduled = true;
    setTimeout(sendBatches, BATCH_MS).unref();
  };

  /** @param {Printout} printout */
  const endLines = (printout) => {
    for (const line of printout.begun.values()) keep(printout, line);
    printout.begun.clear();
  };

  /**
   * @param {Printout} printout
   * @param {string} stream
   * @param {Level} usual The level of what no console method prints.
   * @param {string} text
   */
  const print = (printout, stream, usual, text) => {
    if (!printout.isReplay) printout.attempt ??= stepAttempt();
    let start = 0;
    while (start < text.length) {
      const end = text.indexOf('\n', start);
      const piece = text.slice(start, end < 0 ? undefined : end);
      const line = printout.begun.get(stream) ?? {
        at: now(),
        level: consoles.level() ?? usual,
        text: '',
      };
      const room = MAX_LINE_LENGTH - line.text.length;
      if (piece.length > room) line.cut = (line.cut ?? 0) + piece.length - room;
      line.text += piece.slice(0, room);
      if (end < 0) {
        printout.begun.set(stream, line);
        break;
      }
      printout.begun.delete(stream);
      keep(printout, line);
      start = end + 1;
    }
    schedule(printout);
  };

  /**
   * @param {NodeJS.WriteStream} stream
   * @param {string} name
   * @param {Level} usual
   */
  const watchStream = (stream, name, usual) => {
    const write = stream.write;
    /**
     * @this {NodeJS.WriteStream}
     * @param {...any} given
     */
    stream.write = function (...given) {
      const held = current()?.held;
      if (held) {
        const print = consoles.again(() =>
          stream.write(.../** @type {[any]} */ (given)),
        );
        held.add(given[0]?.length ?? 0, print);
        return true;
      }
      try {
        if (typeof given[0] === 'string') given[0] = shown(given[0]);
        const printout = current();
        if (printout) print(printout, name, usual, asText(given[0], given[1]));
      } catch {
        // What was printed still goes to the log; user code hears of nothing.
      }
      return Reflect.apply(write, this, given);
    };
  };

  return {
    /**
     * @param {string} delivery
     * @param {boolean} isReplay
     * @param {Printout['held']} [held]
     * @returns {Printout} What the delivery prints to.
     */
    open: (delivery, isReplay, held) => ({
      delivery,
      held,
      isReplay,
      attempt: undefined,
      lines: [],
      first: 0,
      size: 0,
      dropped: 0,
      begun: new Map(),
      unstored: 0,
      hasEnded: false,
    }),

    /**
     * Print what was held back, in whose name the calling code runs.
     *
     * @param {Printout} printout
     */
    release: (printout) => {
      const { held } = printout;
      printout.held = undefined;
      held?.release();
      sendBatch(printout);
    },

    /**
     * Send what a delivery has printed, so that the worker has it before
     * whatever is sent next.
     *
     * @param {Printout | undefined} printout
     */
    flush: (printout) => {
      if (printout) sendBatch(printout);
    },

    /**
     * Send the rest of what a delivery has printed. Code of it that goes on
     * may print more.
     *
     * @param {Printout} printout
     */
    end: (printout) => {
      printout.hasEnded = true;
      endLines(printout);
      sendBatch(printout);
    },

    /**
     * Note that the worker has stored a batch of a delivery.
     *
     * @param {any} frame
     */
    stored: ({ delivery }) => {
      const printout = awaited.get(delivery);
      if (!printout) return;
      printout.unstored -= 1;
      if (printout.unstored > 0) return;
      awaited.delete(delivery);
      if (waiting.has(printout)) schedule(printout);
    },

    /** Listen to what is printed from now on. */
    watch: () => {
      watchStream(process.stdout, 'stdout', 'info');
      watchStream(process.stderr, 'stderr', 'warn');
      consoles.watch();
    },
  };
}

/**
 * @param {unknown} chunk
 * @param {unknown} encoding
 * @returns {string}
 */
function asText(chunk, encoding) {
  if (typeof chunk === 'string') {
    const isText = typeof encoding !== 'string' || /^utf-?8$/i.test(encoding);
    if (isText) return chunk;
    return Buffer.from(chunk, /** @type {any} */ (encoding)).toString();
  }
  if (!(chunk instanceof Uint8Array)) return '';
  return Buffer.from(chunk.buffer, chunk.byteOffset, chunk.length).toString();
}

module.exports = { createOutput };
