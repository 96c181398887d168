'use strict';
/**
 * The replay that follows when all steps have ended that a run waits for, and
 * what it begins with: the log as it will be.
 *
 * The worker stores that there are steps, then that they were started, then how
 * they ended, each in the order in which it was told.
 */

const { createGate, createHeld } = require('./holding.cjs');
const { MAX_SIZE, sizeOf } = require('./leaving.cjs');

const SLOT_DIGITS = 26;

/** Bound early, since bundles may put something else in its place. */
const now = Date.now;

/**
 * @typedef {import('./foresight.cjs').Foreseen} Foreseen
 * @typedef {import('./logs.cjs').Log} Log
 * @typedef {{ step: any, wake: any, first: any }} StepEnd Parameters of a step's
 *   end and of the message after it, and the call that its delivery began with.
 */

/** @param {number} slot */
const eventId = (slot) => `evnt_${String(slot).padStart(SLOT_DIGITS, '0')}`;

/** @param {StepEnd} end */
const stepIdOf = ({ step }) => step.event.correlationId;

/**
 * @param {Log} log What the last replay of the run had.
 * @param {any[]} created The parameters of each step_created that it left.
 * @param {StepEnd[]} ends In the order in which the worker is told.
 * @returns {Foreseen | undefined} Nothing, if anything else came in between.
 */
function replayAfter(log, created, ends) {
  if (created.length !== ends.length) return undefined;
  const [{ step, wake }] = ends;
  const { runId } = step;
  const endOf = new Map(ends.map((end) => [stepIdOf(end), end]));
  let slot = log.events.length;
  let size = 0;
  const events = [];
  const starts = [];
  for (const { event } of created) {
    const end = endOf.get(event.correlationId);
    if (!end?.wake.isWake || end.wake.delaySeconds) return undefined;
    const { event: start, step: entity } = end.first?.answer.value ?? {};
    if (!start || !entity) return undefined;
    starts.push(start);
    slot += 1;
    size +=
      sizeOf(event.eventData?.input) + sizeOf(end.step.event.eventData?.result);
    const { createdAt } = entity;
    events.push({ ...event, runId, eventId: eventId(slot), createdAt });
  }
  if (size > MAX_SIZE || sizeOf(log.run.input) > MAX_SIZE) return undefined;
  starts.sort((one, other) => (one.eventId < other.eventId ? -1 : 1));
  for (const start of starts) {
    slot += 1;
    if (start.eventId !== eventId(slot)) return undefined;
    events.push(start);
  }
  // The worker takes this time if it can.
  const at = Math.max(now(), starts[starts.length - 1].createdAt);
  for (const { step } of ends) {
    slot += 1;
    step.occurredAt = at;
    const place = { runId, eventId: eventId(slot), createdAt: at };
    events.push({ ...step.event, ...place });
  }
  const gate = createGate();
  return {
    delivery: undefined,
    kind: 'workflow',
    queueName: wake.queueName,
    messageId: 'foreseen',
    attempt: 1,
    body: wake.body,
    answer: { run: log.run, events, cursor: eventId(slot), hasMore: false },
    log,
    held: createHeld(gate.reach),
    gate,
  };
}

module.exports = { eventId, replayAfter };
