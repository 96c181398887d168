'use strict';
/**
 * The logs of the runs that were replayed last, so that a replay has only what
 * is new sent to it. A log is only ever appended to, and its slots are dense.
 */

/** What all logs together may hold. */
const MAX_SIZE = 32 * 1024 * 1024;

/** What an event holds beside its payload, more or less. */
const EVENT_SIZE = 500;

/**
 * A log, and its run as it was when it was loaded.
 *
 * @typedef {{ run: any, events: any[], size: number }} Log
 */

/**
 * @param {string} method
 * @param {Record<string, any>} params
 */
function isReplayBegin(method, params) {
  return method === 'events.create' && params.event.eventType === 'run_started';
}

/** @param {any} value */
function sizeOf(value) {
  if (typeof value === 'string') return value.length;
  return value?.byteLength ?? 0;
}

/** @param {any} event */
function eventSize({ eventData }) {
  let size = EVENT_SIZE;
  for (const value of Object.values(eventData ?? {})) size += sizeOf(value);
  return size;
}

/**
 * @param {(event: any) => any} prepare Makes of an event what replays take, and
 *   leaves as it is what it has made.
 * @param {number} [maxSize] In bytes.
 */
function createLogs(prepare, maxSize = MAX_SIZE) {
  /** Those used last come last. @type {Map<string, Log>} */
  const logs = new Map();
  let total = 0;

  /** @param {string} runId */
  const forget = (runId) => {
    total -= logs.get(runId)?.size ?? 0;
    logs.delete(runId);
  };

  return {
    /**
     * Make the call that begins a replay.
     *
     * @param {(params: Record<string, any>) => Promise<any>} call
     * @param {Record<string, any>} params Of `events.create`.
     * @returns {Promise<any>} The answer, with the whole log.
     */
    begin: async (call, params) => {
      const { runId } = params;
      const known = logs.get(runId);
      const answer = await call(
        known ? { ...params, knownSlot: known.events.length } : params,
      );
      if (!answer.events) {
        forget(runId);
        return answer;
      }
      return { ...answer, events: extend(runId, answer, known).events };
    },

    /**
     * Keep what is new of a log.
     *
     * @param {string} runId
     * @param {any} answer To the call that begins a replay.
     */
    extend: (runId, answer) => void extend(runId, answer, logs.get(runId)),

    /** @param {string} runId */
    get: (runId) => logs.get(runId),
    forget,
  };

  /**
   * @param {string} runId
   * @param {any} answer Has what is new.
   * @param {Log | undefined} known
   * @returns {Log} The whole log.
   */
  function extend(runId, { run, events }, known) {
    const input = sizeOf(run?.input);
    const prepared = events.map(prepare);
    /** @type {Log} */
    const log = {
      run,
      events: known ? [...known.events, ...prepared] : prepared,
      size: known ? known.size : input,
    };
    for (const event of events) log.size += eventSize(event);
    keep(runId, log);
    return log;
  }

  /**
   * @param {string} runId
   * @param {Log} log
   */
  function keep(runId, log) {
    forget(runId);
    if (log.size > maxSize) return;
    logs.set(runId, log);
    total += log.size;
    for (const oldest of logs.keys()) {
      if (total <= maxSize) break;
      forget(oldest);
    }
  }
}

module.exports = { createLogs, isReplayBegin };
