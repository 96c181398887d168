'use strict';
/** What the executor is working on: deliveries, webhook calls, background tasks. */

const { AsyncLocalStorage } = require('node:async_hooks');
const { MAX_FRAME_SIZE } = require('./connection.cjs');
const { createBackground } = require('./background.cjs');
const { createCalls } = require('./calls.cjs');
const { createOutput } = require('./output.cjs');

// Bound early, since bundles may put something else in its place.
const { setImmediate } = globalThis;

const MAX_MESSAGE_LENGTH = 4000;
const SERVER_ERROR = Object.freeze({
  status: 500,
  headers: [],
  body: new Uint8Array(),
});

/** @typedef {ReturnType<typeof import('./artifact.cjs').loadArtifact>} Artifact */
/** @typedef {ReturnType<typeof createCalls>} Calls */

/**
 * @param {unknown} error
 * @returns {string}
 */
function describe(error) {
  const text =
    error instanceof Error ? `${error.name}: ${error.message}` : String(error);
  return text.slice(0, MAX_MESSAGE_LENGTH);
}

/**
 * @param {object} options
 * @param {() => Artifact} options.artifact
 * @param {ReturnType<typeof import('./foresight.cjs').createForesight>} options.foresight
 * @param {(frame: Record<string, unknown>) => boolean} options.send
 * @param {(frames: Record<string, unknown>[]) => void} options.sendAll Sends frames that are to come together.
 * @param {(frame: any) => Calls} options.callsOf Makes the World calls of a delivery.
 * @param {(text: string) => string} options.shown Makes what is printed fit to be read.
 * @param {() => void} options.onReplayed Called after each replay.
 * @param {() => void} options.onDrained Called once nothing is left after a drain.
 */
function createWork({
  artifact,
  foresight,
  send,
  sendAll,
  callsOf,
  shown,
  onReplayed,
  onDrained,
}) {
  /**
   * What the calling code prints to. It names the delivery, too.
   *
   * @type {AsyncLocalStorage<import('./output.cjs').Printout>}
   */
  const currentPrintout = new AsyncLocalStorage();
  const output = createOutput({
    current: () => currentPrintout.getStore(),
    send,
    shown,
  });
  /**
   * Aborted when the webhook call in whose course the calling code runs is
   * given up.
   *
   * @type {AsyncLocalStorage<AbortSignal>}
   */
  const currentRequest = new AsyncLocalStorage();
  /** @type {Map<string, AbortController>} */
  const requests = new Map();
  /** @type {WeakMap<object, ReturnType<typeof createBackground>>} */
  const backgrounds = new WeakMap();
  /** @type {WeakMap<object, Calls>} */
  const callers = new WeakMap();
  const currentBackground = () => {
    const printout = currentPrintout.getStore();
    return printout && backgrounds.get(printout);
  };
  /**
   * Deliveries that have ended in this turn.
   *
   * @type {{ frame: any, outcome: import('./leaving.cjs').Outcome, foreseen: object }[]}
   */
  const ended = [];
  let inFlight = 0;
  let isDraining = false;

  /** @param {number} change */
  const count = (change) => {
    inFlight += change;
    if (isDraining && inFlight === 0) onDrained();
  };

  /**
   * @param {any} frame A delivery.
   * @returns {import('./foresight.cjs').Work}
   */
  const perform = (frame) => {
    const printout = output.open(
      frame.delivery,
      frame.kind === 'workflow',
      frame.held,
    );
    const calls = callsOf(frame);
    backgrounds.set(printout, createBackground());
    callers.set(printout, calls);
    const outcome = currentPrintout
      .run(printout, async () => {
        const handled = await artifact().deliver(frame);
        return { ...handled, calls: await calls.rest() };
      })
      .catch(async (error) => {
        await calls.settled();
        return { error: describe(error) };
      });
    return { printout, outcome };
  };

  /**
   * Tell how deliveries of a run have ended. Steps that end together are stored
   * together, and replayed together.
   *
   * @param {typeof ended} together
   */
  const tell = async (together) => {
    const next = isDraining ? undefined : foresight.after(together);
    // A handler gets no headers and so no more than what is known now.
    const isBegun = next && artifact().handlerOf(next);
    const onward = isBegun
      ? await foresight.begin(next, () => perform(next))
      : undefined;
    const frames = together.map(({ frame, outcome, foreseen }) => {
      const { delivery } = frame;
      return { t: 'delivered', delivery, ...outcome, ...foreseen };
    });
    if (onward) Object.assign(frames[frames.length - 1], { onward });
    sendAll(frames);
    const hasReplayed = together.some(({ frame }) => frame.kind === 'workflow');
    if (hasReplayed || onward) onReplayed();
    count(-together.length);
  };

  /** Tell how the deliveries have ended that have done so in this turn. */
  const conclude = async () => {
    /** @type {Map<unknown, typeof ended>} */
    const byRun = new Map();
    for (const one of ended.splice(0)) {
      const runId = one.outcome.calls?.[0]?.params.runId ?? one.frame;
      byRun.set(runId, [...(byRun.get(runId) ?? []), one]);
    }
    await Promise.all([...byRun.values()].map(tell));
  };

  return {
    /**
     * Keep the process until a task of the calling code is done.
     *
     * @param {Promise<unknown>} task Never rejects.
     */
    async finish(task) {
      count(1);
      await Promise.all([task, currentBackground()?.finish(task)]);
      count(-1);
    },
    /**
     * Note that the calling code writes to a stream.
     *
     * @param {Promise<unknown>} write
     */
    writes: (write) => currentBackground()?.writes(write),
    /**
     * Keep the process until what the calling code wrote to a stream is stored.
     *
     * @param {Promise<void>} stored Never rejects.
     */
    async ahead(stored) {
      count(1);
      currentBackground()?.ahead(stored);
      await stored;
      count(-1);
    },
    /** Resolves when what the calling code wrote to streams is stored. */
    stored: async () => currentBackground()?.stored(),
    /** Resolves when what the calling code left to be flushed is flushed. */
    flushed: async () => currentBackground()?.flushed(),
    inFlight: () => inFlight,
    /** The delivery in whose course the calling code runs. */
    currentDelivery: () => currentPrintout.getStore()?.delivery,
    /** Whether the calling code replays a workflow function. */
    isReplaying: () => currentPrintout.getStore()?.isReplay === true,
    /** Its World calls. */
    currentCalls: () => {
      const printout = currentPrintout.getStore();
      return printout && callers.get(printout);
    },
    /** Send what the delivery has printed in whose course the calling code runs. */
    flushOutput: () => output.flush(currentPrintout.getStore()),
    outputStored: output.stored,
    watchOutput: output.watch,
    /** Aborted when the work in whose course the calling code runs is given up. */
    currentSignal: () => currentRequest.getStore(),

    /** @param {any} frame */
    async deliver(frame) {
      const { delivery } = frame;
      count(1);
      foresight.hear(frame);
      const taken = foresight.take(frame, ({ printout }) => {
        printout.delivery = delivery;
        currentPrintout.run(printout, () => output.release(printout));
      });
      const { printout, outcome: ending } = taken ?? perform(frame);
      const outcome = await ending;
      output.end(printout);
      const foreseen = taken ? { foreseen: true } : {};
      ended.push({ frame, outcome, foreseen });
      // Others may end in the same turn.
      if (inFlight === 1) await conclude();
      else if (ended.length === 1) setImmediate(conclude);
    },

    /** @param {any} frame */
    async request(frame) {
      const { request } = frame;
      const controller = new AbortController();
      const { signal } = controller;
      /** @type {Promise<undefined>} */
      const givenUp = new Promise((resolve) => {
        signal.addEventListener('abort', () => resolve(undefined));
      });
      requests.set(request, controller);
      count(1);
      const answered = currentRequest
        .run(signal, () => artifact().request(frame))
        .catch((error) => {
          if (!signal.aborted) {
            console.error('The webhook handler failed:', error);
          }
          return SERVER_ERROR;
        });
      const response = await Promise.race([answered, givenUp]);
      requests.delete(request);
      if (response && !send({ t: 'response', request, ...response })) {
        console.error(`A webhook answer exceeds ${MAX_FRAME_SIZE} bytes.`);
        send({ t: 'response', request, ...SERVER_ERROR });
      }
      count(-1);
    },

    /**
     * Stop waiting for the answer to a webhook call.
     *
     * @param {any} frame
     */
    abandon({ request }) {
      requests.get(request)?.abort(new Error('The webhook call was given up.'));
    },

    drain() {
      isDraining = true;
      foresight.abandon();
      if (inFlight === 0) onDrained();
    },
  };
}

module.exports = { createWork, describe };
