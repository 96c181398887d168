'use strict';
/**
 * Takes from replays what they do over and over in one turn.
 *
 * Each step, hook or sleep that a workflow function reaches has the log looked
 * through in the next tick (source: @workflow/core 4.8.9, events-consumer.js,
 * `subscribe`). A function that reaches n at once has that done n times, one
 * right after the other; and at the end of the log each time sets a timer for
 * each of the n, each of which looks at all n. The first time does all there is
 * to do: nothing comes between two ticks.
 */

/** The name of the SDK's function, also in a bundle. */
const NAME = 'consume';

/** Have the log looked through once, however often that is asked for in a turn. */
function consumeOnce() {
  const { nextTick } = process;
  /** @type {WeakSet<Function>} */
  const waiting = new WeakSet();
  /** @param {any[]} given */
  process.nextTick = (...given) => {
    const [callback] = given;
    if (given.length > 1 || callback?.name !== NAME) {
      return Reflect.apply(nextTick, process, given);
    }
    if (waiting.has(callback)) return;
    waiting.add(callback);
    nextTick(() => {
      waiting.delete(callback);
      callback();
    });
  };
}

module.exports = { consumeOnce };
