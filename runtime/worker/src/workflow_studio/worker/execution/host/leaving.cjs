'use strict';
/** What a delivery leaves to be stored. */

/** What a replay may leave that can be stored with the end of the step. */
const LEFT = new Set(['step_created', 'run_completed']);

/**
 * Payload bytes of a run's input, of its new events, or of what a replay leaves,
 * beyond which no replay begins early: one that comes to nothing is not free.
 */
const MAX_SIZE = 1024 * 1024;

/**
 * @typedef {import('./calls.cjs').BatchedCall} BatchedCall
 * @typedef {import('./foresight.cjs').Foreseen} Foreseen
 * @typedef {{ error?: string, timeoutSeconds?: number, calls?: BatchedCall[] }} Outcome
 * @typedef {{ runId: string, slot: number, at: number, calls: BatchedCall[] }} Onward What
 *   a replay leaves to be stored if the log ends at this slot and time.
 */

/** @param {any} value */
const sizeOf = (value) => value?.byteLength ?? 0;

/**
 * @param {Outcome} outcome
 * @param {string} eventType
 * @returns {[any, any][] | undefined} The parameters of events of this type, and
 *   of the message that follows each, if they are all that a delivery has left to
 *   be stored, and about one run.
 */
function lastPairs({ error, timeoutSeconds, calls }, eventType) {
  if (error !== undefined || timeoutSeconds !== undefined) return undefined;
  if (!calls || calls.length === 0 || calls.length % 2 > 0) return undefined;
  const { runId } = calls[0].params;
  /** @type {[any, any][]} */
  const pairs = [];
  for (let n = 0; n < calls.length; n += 2) {
    const [{ params: event }, { params: message }] = calls.slice(n, n + 2);
    if (event.event?.eventType !== eventType) return undefined;
    if (event.runId !== runId || message.runId !== runId) return undefined;
    pairs.push([event, message]);
  }
  return pairs;
}

/**
 * @param {Outcome} outcome
 * @returns {any[] | undefined} The parameters of each step_created, if steps and
 *   their messages are all that a replay has left.
 */
function createdSteps(outcome) {
  const pairs = lastPairs(outcome, 'step_created');
  const isQueued = pairs?.every(
    ([{ event }, { stepId }]) => event.correlationId === stepId,
  );
  return isQueued ? pairs?.map(([created]) => created) : undefined;
}

/**
 * @param {Foreseen} frame
 * @param {Outcome} outcome Of its replay.
 * @returns {Onward | undefined} What can be stored with the end of the step.
 */
function onwardOf({ answer, log, held }, { error, timeoutSeconds, calls }) {
  if (error !== undefined || timeoutSeconds !== undefined) return undefined;
  if (!calls || held.hasPrinted()) return undefined;
  let size = 0;
  for (const { params } of calls) {
    const { eventType, eventData } = params.event ?? {};
    if (eventType !== undefined && !LEFT.has(eventType)) return undefined;
    for (const value of [params.body, ...Object.values(eventData ?? {})]) {
      size += sizeOf(value);
    }
  }
  if (size > MAX_SIZE) return undefined;
  const slot = log.events.length + answer.events.length;
  const at = answer.events.at(-1).createdAt;
  return { runId: answer.run.runId, slot, at, calls };
}

module.exports = { MAX_SIZE, createdSteps, lastPairs, onwardOf, sizeOf };
