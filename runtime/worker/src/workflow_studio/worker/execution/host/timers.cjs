'use strict';
/**
 * Takes from the SDK the time that timers of 0 ms last.
 *
 * Before the SDK decides that a workflow function has come to rest, and between
 * two results that it hands to one, it lets all promises settle, and waits a
 * timer of 0 ms for that (source: @workflow/core 4.8.9, private.js,
 * `scheduleWhenIdle` and `awaitEarlierDeliveries`). Node.js makes at least 1 ms
 * of it: once per replay, and once per result, so that a replay with a hundred
 * results does nothing for a tenth of a second. What settles by itself has
 * settled at the end of the turn; in a replay such a timer ends then.
 *
 * The same for the timer between a chunk that a step writes to a stream and its
 * way to the worker. The World says how long it is, and names a length by which
 * it is known: code of the app may ask for 0 ms itself, and gets what it asks for.
 *
 * A digest is the one thing a workflow function can wait for that takes longer.
 * While there is one, timers last as long as they do anywhere.
 */

/** Names the end of the turn, in milliseconds: what nobody else asks for. */
const TURN_END_MS = 2 ** -10;

// Bound early, since these are what is put in their place.
const { clearImmediate, clearTimeout, setImmediate, setTimeout } = globalThis;

/** @param {() => boolean} isReplaying Whether the calling code replays a workflow function. */
function shortenTimers(isReplaying) {
  /** @type {WeakMap<object, NodeJS.Immediate>} */
  const ends = new WeakMap();
  const isDigesting = countDigests(isReplaying);

  /**
   * @param {(...given: any[]) => void} callback
   * @param {number} [ms]
   * @param {any[]} given
   */
  const start = (callback, ms, ...given) => {
    const isShort = ms === TURN_END_MS || (ms === 0 && isReplaying());
    if (!isShort) return setTimeout(callback, ms, ...given);
    // It stays a timer, for those who clear it or look at it.
    const timer = setTimeout(() => {
      clearImmediate(end);
      callback(...given);
    }, ms);
    const end = setImmediate(() => {
      if (isDigesting()) return;
      clearTimeout(timer);
      callback(...given);
    });
    ends.set(timer, end);
    return timer;
  };

  /** @param {any} timer */
  const clear = (timer) => {
    const end = ends.get(timer);
    if (end) clearImmediate(end);
    clearTimeout(timer);
  };

  // With it comes what `promisify` makes of it.
  globalThis.setTimeout = Object.assign(start, setTimeout);
  globalThis.clearTimeout = clear;
}

/**
 * @param {() => boolean} isReplaying
 * @returns {() => boolean} Whether a replay waits for a digest.
 */
function countDigests(isReplaying) {
  const { subtle } = globalThis.crypto;
  const digest = subtle.digest.bind(subtle);
  let digests = 0;
  const ended = () => {
    digests -= 1;
  };
  /** @type {typeof subtle.digest} */
  const counted = (...given) => {
    const result = digest(...given);
    if (isReplaying()) {
      digests += 1;
      result.then(ended, ended);
    }
    return result;
  };
  Object.defineProperty(subtle, 'digest', {
    value: counted,
    configurable: true,
    writable: true,
  });
  return () => digests > 0;
}

module.exports = { TURN_END_MS, shortenTimers };
