// Which deployment a `start()` is for.
//
// The SDK asks the World for it and puts the answer into all that it sends
// (source: @workflow/core 4.8.9, start.js). An id costs a request, and may be
// out of date when the run is created. A worker that answers with an `alias`
// takes that name for whichever deployment is active in the transaction that
// creates the run. Then the SDK is told that name, and nothing is asked again.
'use strict';

/** @typedef {import('./world.cjs').Call} Call */

/** What the SDK itself calls the active deployment in the options of `start()`. */
const LATEST = 'latest';
/** How long an id holds: a burst of starts must not become a burst of questions. */
const ID_MS = 1_000;
/** How long an app that has named a deployment is told ids. */
const NAMES_MS = 60_000;

/**
 * @param {Call} send
 * @param {() => boolean} mustAsk Whether each `start()` has to hear from the
 *   worker before it goes on.
 */
function createActive(send, mustAsk) {
  /** @type {undefined | { answer: Promise<any>, until: number }} */
  let asked;
  let hasAlias = false;
  /** @type {string | undefined} */
  let lastId;
  let namesUntil = 0;

  /** @param {Parameters<Call>} question */
  const ask = (...question) => {
    if (!asked || Date.now() >= asked.until) {
      const now = {
        answer: send(...question),
        until: Date.now() + ID_MS,
      };
      // A failure is for those who waited for it, not for the next caller.
      now.answer.catch(() => {
        if (asked === now) {
          asked = undefined;
        }
      });
      asked = now;
    }
    return asked.answer;
  };
  const isAlias = () => hasAlias && !mustAsk() && Date.now() >= namesUntil;

  /** @type {Call} */
  const find = async (...question) => {
    if (isAlias()) {
      return { deploymentId: LATEST };
    }
    const answer = await ask(...question);
    hasAlias = answer.alias === LATEST;
    lastId = answer.deploymentId;
    return isAlias() ? { deploymentId: LATEST } : answer;
  };

  /**
   * Hear of a run that is created. To the SDK, a deployment that the app names
   * is another one than the alias, and it sends that one a message to learn
   * what it can read: so an app that names deployments is told ids again.
   *
   * @param {string | undefined} deploymentId
   */
  const note = (deploymentId) => {
    if (hasAlias && deploymentId !== LATEST && deploymentId !== lastId) {
      namesUntil = Date.now() + NAMES_MS;
    }
  };

  return { find, note };
}

module.exports = { LATEST, createActive };
