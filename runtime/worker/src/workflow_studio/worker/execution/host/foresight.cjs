'use strict';
/**
 * Replays that begin before the worker asks for them.
 *
 * When the steps have ended that a run waits for, it is known what comes next: a
 * replay, with three more events in the log for each. The step was created, was
 * started, and has ended. While the worker stores the last of them and leases
 * the message of the replay, the executor would wait. A workflow function has no
 * effects but by World calls, so the replay is made meanwhile, of the log as it
 * will be, and what it wants to call and to print is held back.
 *
 * When the worker delivers exactly what was foreseen, to the last byte, the
 * replay becomes that delivery. Mostly the replay has come to rest before the
 * end of the step is sent. Then what it leaves to be stored goes with that, and
 * the worker stores it in the same transaction if the log ends as was foreseen:
 * there is no delivery then. In any other case it is dropped and leaves
 * nothing behind, and the delivery is made as if there had never been one: a hook
 * was received, the clock was off, another executor was faster. Then it has cost
 * some processor time, so there is one at a time for each run, and they are the
 * rarer the longer none has come true.
 */

const { createGate, createHeld } = require('./holding.cjs');
const { createdSteps, lastPairs, onwardOf } = require('./leaving.cjs');
const { isReplayBegin } = require('./logs.cjs');
const { eventId, replayAfter } = require('./next-replay.cjs');

/** So long the worker has to deliver what was foreseen. */
const PATIENCE_MS = 2000;

/** So long the end of a step may wait for the replay to come to rest. */
const MAX_HOLD_MS = 25;

/** Runs whose next replay may have begun, or gone with the end of a step. */
const MAX_EARLY = 64;

/** Steps after which another replay is tried when many have come to nothing. */
const MAX_PAUSE = 64;

// Bound early, since bundles may put others in their place.
const { clearTimeout, setTimeout } = globalThis;

/**
 * @typedef {import('./calls.cjs').Call} Call
 * @typedef {import('./logs.cjs').Log} Log
 * @typedef {import('./leaving.cjs').Onward} Onward
 * @typedef {import('./leaving.cjs').Outcome} Outcome
 * @typedef {import('./next-replay.cjs').StepEnd} StepEnd
 * @typedef {{ printout: import('./output.cjs').Printout, outcome: Promise<Outcome> }} Work
 */

/**
 * @typedef {object} Early A replay that has begun early.
 * @property {Foreseen} frame
 * @property {Work} work
 * @property {boolean} hasFailed
 * @property {NodeJS.Timeout} timer
 * @property {Onward} [onward] What of it has gone with the end of a step.
 */

/**
 * A delivery that is foreseen: as much of the frame as is known already.
 *
 * @typedef {object} Foreseen
 * @property {undefined} delivery
 * @property {'workflow'} kind
 * @property {string} queueName
 * @property {string} messageId Made up, since the worker chooses it. The SDK has
 *   no use for it but in traces.
 * @property {number} attempt
 * @property {Uint8Array} body
 * @property {{ run: any, events: any[], cursor: string, hasMore: false }} answer To
 *   run_started, but for the part of the log that is known.
 * @property {Log} log The part that is known.
 * @property {ReturnType<typeof createHeld>} held
 * @property {ReturnType<typeof createGate>} gate
 */

/**
 * @param {any} one
 * @param {any} other
 * @returns {boolean} Whether both are the same on the wire.
 */
function isSame(one, other) {
  if (Object.is(one, other)) return true;
  if (typeof one !== 'object' || typeof other !== 'object') return false;
  if (one === null || other === null) return false;
  if (ArrayBuffer.isView(one) || ArrayBuffer.isView(other)) {
    return (
      one instanceof Uint8Array &&
      other instanceof Uint8Array &&
      Buffer.compare(one, other) === 0
    );
  }
  if (Array.isArray(one) !== Array.isArray(other)) return false;
  const names = Object.keys(one);
  return (
    names.length === Object.keys(other).length &&
    names.every(
      (name) => Object.hasOwn(other, name) && isSame(one[name], other[name]),
    )
  );
}

/**
 * @param {ReturnType<typeof import('./logs.cjs').createLogs>} logs
 * @param {(message: string) => Error} transportError
 */
function createForesight(logs, transportError) {
  /**
   * The steps that each run's last replay left, and nothing beside them: the
   * parameters of each step_created, by the log that the replay had.
   *
   * @type {WeakMap<Log, any[]>}
   */
  const awaited = new WeakMap();
  /** What has begun early, by run. @type {Map<string, Early>} */
  const early = new Map();
  /** Steps to let pass, and how many it were when the last replay was dropped. */
  let pause = 0;
  let lastPause = 0;

  const notAskedFor = () => transportError('The replay was not asked for.');

  /** @param {string} runId */
  const drop = (runId) => {
    const begun = early.get(runId);
    clearTimeout(begun?.timer);
    begun?.frame.held.drop();
    begun?.frame.gate.close(notAskedFor);
    early.delete(runId);
  };

  /** @param {string} runId */
  const abandon = (runId) => {
    if (!early.has(runId)) return;
    drop(runId);
    lastPause = Math.min(lastPause * 2 || 1, MAX_PAUSE);
    pause = lastPause;
  };

  /**
   * Whether another replay may begin early.
   *
   * @param {string} runId
   */
  const isReady = (runId) => {
    if (early.get(runId)?.onward) drop(runId);
    if (early.size >= MAX_EARLY) {
      const [oldest, { onward }] = early.entries().next().value;
      if (!onward) return false;
      drop(oldest);
    }
    if (early.has(runId)) return false;
    if (pause === 0) return true;
    pause -= 1;
    return false;
  };

  /**
   * Note which steps a replay has left.
   *
   * @param {Outcome} outcome
   */
  const note = (outcome) => {
    const created = createdSteps(outcome);
    const log = created && logs.get(created[0].runId);
    if (log) awaited.set(log, created);
  };

  /**
   * @param {StepEnd[]} ends Of one run.
   * @returns {Foreseen | undefined}
   */
  const foresee = (ends) => {
    const { runId } = ends[0].step;
    const log = logs.get(runId);
    const created = log && awaited.get(log);
    if (!created || !isReady(runId)) return undefined;
    return replayAfter(log, created, ends);
  };

  return {
    /**
     * Learn what deliveries have left to be stored that have ended together.
     *
     * @param {{ frame: any, outcome: Outcome }[]} ended
     * @returns {Foreseen | undefined} The delivery that will follow from them, if
     *   it can be foreseen.
     */
    after: (ended) => {
      /** @type {StepEnd[]} */
      const ends = [];
      for (const { frame, outcome } of ended) {
        if (frame.kind === 'step') {
          const pairs = lastPairs(outcome, 'step_completed') ?? [];
          for (const [step, wake] of pairs)
            ends.push({ step, wake, first: frame.first });
        } else note(outcome);
      }
      const isOneRun = ends.every(
        ({ step }) => step.runId === ends[0].step.runId,
      );
      const isAll = ends.length > 0 && ends.length === ended.length;
      return isAll && isOneRun ? foresee(ends) : undefined;
    },

    /**
     * Make a delivery that is foreseen.
     *
     * @param {Foreseen} frame
     * @param {() => Work} make
     * @returns {Promise<Onward | undefined>} What it leaves to be stored, if that
     *   is known before long and can go with the end of the step.
     */
    begin: async (frame, make) => {
      const { runId } = frame.answer.run;
      /** @type {Early} */
      const begun = {
        frame,
        work: make(),
        hasFailed: false,
        // What went with the end of a step is not asked for if that was of use.
        timer: setTimeout(
          () => (begun.onward ? drop(runId) : abandon(runId)),
          PATIENCE_MS,
        ),
      };
      early.set(runId, begun);
      begun.timer.unref();
      const left = begun.work.outcome.then((outcome) => {
        begun.hasFailed = outcome.error !== undefined;
        return onwardOf(frame, outcome);
      });
      /** @type {NodeJS.Timeout | undefined} */
      let hold;
      /** @type {Promise<undefined>} */
      const tooLate = new Promise((resolve) => {
        hold = setTimeout(() => resolve(undefined), MAX_HOLD_MS);
      });
      const onward = await Promise.race([left, frame.gate.reached, tooLate]);
      clearTimeout(hold);
      if (early.get(runId) === begun) begun.onward = onward;
      return begun.onward;
    },

    /**
     * Learn from a step's delivery that the worker has stored what went with the
     * end of the step before it.
     *
     * @param {any} delivery The frame.
     */
    hear: ({ first }) => {
      const started = first?.answer.value?.event;
      const { frame, onward } = early.get(started?.runId) ?? {};
      if (!frame || !onward || started?.eventType !== 'step_started') return;
      const { runId, slot, calls } = onward;
      const created = createdSteps({ calls });
      const isNext =
        created &&
        started.eventId === eventId(slot + created.length + 1) &&
        started.correlationId === created[0].event.correlationId;
      if (!isNext || logs.get(runId) !== frame.log) return;
      logs.extend(runId, frame.answer);
      awaited.set(/** @type {Log} */ (logs.get(runId)), created);
      drop(runId);
      lastPause = 0;
    },

    /**
     * @param {any} frame A delivery.
     * @param {Call} call
     * @returns {Call | undefined} Makes its calls, if it is one that is foreseen.
     */
    callOf: (frame, call) => {
      const { answer, log, gate } = /** @type {Partial<Foreseen>} */ (frame);
      if (!answer || !log || !gate) return undefined;
      let hasBegun = false;
      return async (method, params, signal) => {
        if (!hasBegun && isReplayBegin(method, params)) {
          hasBegun = true;
          return { ...answer, events: [...log.events, ...answer.events] };
        }
        // It changes nothing, and others may wait for the same answer.
        if (method !== 'encryption.key') await gate.pass();
        return call(method, params, signal);
      };
    },

    /**
     * Hand over what was begun of a delivery before it came.
     *
     * @param {any} delivery The frame.
     * @param {(work: Work) => void} onTaken Called before its calls are made.
     * @returns {Work | undefined} Nothing, if it is not what was foreseen.
     */
    take: (delivery, onTaken) => {
      const { queueName, attempt, body, first } = delivery;
      const answer = first?.answer.value;
      const runId = answer?.run?.runId;
      const begun = early.get(runId);
      if (!begun) return undefined;
      const { frame, work, hasFailed } = begun;
      const isForeseen =
        isSame(answer, frame.answer) &&
        isSame(body, frame.body) &&
        queueName === frame.queueName &&
        attempt === frame.attempt &&
        first.knownSlot === frame.log.events.length &&
        logs.get(runId) === frame.log;
      if (!isForeseen || hasFailed || frame.held.isDropped()) {
        abandon(runId);
        return undefined;
      }
      clearTimeout(begun.timer);
      early.delete(runId);
      lastPause = 0;
      logs.extend(runId, answer);
      Object.assign(frame, { delivery: delivery.delivery });
      onTaken(work);
      frame.gate.open();
      return work;
    },

    /** Drop what was begun. */
    abandon: () => {
      for (const runId of [...early.keys()]) abandon(runId);
    },
  };
}

module.exports = { createForesight };
