'use strict';
/** What replays do and print that begin early, held back until they are asked for. */

/** Characters that may be held back; a replay that prints more is dropped. */
const MAX_PRINTED = 256 * 1024;

/**
 * What a replay prints that may turn out never to have been.
 *
 * @param {() => void} onPrint
 */
function createHeld(onPrint) {
  /** @type {(() => void)[]} */
  let prints = [];
  let size = 0;
  let isDropped = false;

  const drop = () => {
    isDropped = true;
    prints = [];
  };

  return {
    /**
     * @param {number} length Characters.
     * @param {() => void} print
     */
    add: (length, print) => {
      size += length;
      onPrint();
      if (size > MAX_PRINTED) drop();
      if (!isDropped) prints.push(print);
    },
    drop,
    isDropped: () => isDropped,
    hasPrinted: () => size > 0,
    release: () => {
      for (const print of prints) print();
    },
  };
}

/** Holds World calls back until it is known whether they are to be made. */
function createGate() {
  /** @type {() => void} */
  let open = () => {};
  /** @type {(reason: Error) => void} */
  let refuse = () => {};
  /** @type {Promise<void>} */
  const opened = new Promise((resolve, reject) => {
    open = resolve;
    refuse = reject;
  });
  /** @type {(() => Error) | undefined} */
  let reason;
  let isAwaited = false;
  /** @type {() => void} */
  let reach = () => {};
  /** @type {Promise<undefined>} */
  const reached = new Promise((resolve) => {
    reach = () => resolve(undefined);
  });
  opened.catch(() => {}); // there may be no calls
  return {
    open,
    /** @param {() => Error} makeReason Called if anybody waits, now or later. */
    close: (makeReason) => {
      reason = makeReason;
      if (isAwaited) refuse(makeReason());
    },
    reach,
    /** Resolves when the first call waits, or anything else has to. */
    reached,
    pass: () => {
      reach();
      isAwaited = true;
      if (reason) refuse(reason());
      return opened;
    },
  };
}

module.exports = { createGate, createHeld };
