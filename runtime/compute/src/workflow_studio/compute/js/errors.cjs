'use strict';
/**
 * The errors of the World lane, as the Workflow SDK reads them.
 *
 * The SDK knows an error by `error.name` and its fields alone (source:
 * @workflow/errors 4.x), so plain `Error` objects with the right name are all
 * it takes. Of those named `WorkflowWorldError`, it retries what has a `status`
 * of 500 or more or the `code` TRANSPORT or TIMEOUT.
 */

/**
 * @param {unknown} value
 * @returns {value is Record<string, unknown>}
 */
function isRecord(value) {
  return typeof value === 'object' && value !== null && !Array.isArray(value);
}

/**
 * Rebuild the error that the World refused with.
 *
 * @param {unknown} wire The `error` object of a refusal.
 * @returns {Error}
 */
function errorFromWire(wire) {
  if (
    !isRecord(wire) ||
    typeof wire.name !== 'string' ||
    typeof wire.message !== 'string'
  ) {
    return transportError('The worker refused without saying why.');
  }
  const { name, message, ...fields } = wire;
  return Object.assign(new Error(message), fields, { name });
}

/**
 * @param {string} message
 * @param {Record<string, unknown>} [fields] Such as `status` and `code`.
 * @returns {Error}
 */
function worldError(message, fields) {
  return Object.assign(new Error(message), fields, {
    name: 'WorkflowWorldError',
  });
}

/**
 * The worker could not be reached, or something else answered in its place.
 *
 * @param {string} message
 * @param {unknown} [cause]
 * @returns {Error}
 */
function transportError(message, cause) {
  return withCause(worldError(message, { code: 'TRANSPORT' }), cause);
}

/**
 * The worker did not answer in time.
 *
 * @param {string} message
 * @param {unknown} [cause]
 * @returns {Error}
 */
function timeoutError(message, cause) {
  return withCause(worldError(message, { code: 'TIMEOUT' }), cause);
}

/**
 * @param {Error} error
 * @param {unknown} cause
 */
function withCause(error, cause) {
  if (cause !== undefined) {
    Object.defineProperty(error, 'cause', {
      value: cause,
      configurable: true,
      writable: true,
    });
  }
  return error;
}

/**
 * Turn an HTTP error response into the error to throw.
 *
 * @param {number} status
 * @param {unknown} body The parsed JSON body; anything else if it is not JSON.
 * @returns {Error}
 */
function errorFromResponse(status, body) {
  if (!isRecord(body) || typeof body.message !== 'string') {
    return transportError(
      `The worker's address answered HTTP ${status} with something that is not the worker's.`,
    );
  }
  if (body.error !== undefined) return errorFromWire(body.error);
  const message =
    typeof body.recovery === 'string'
      ? `${body.message} ${body.recovery}`
      : body.message;
  return worldError(message, { status, errorCode: body.code });
}

module.exports = {
  errorFromResponse,
  errorFromWire,
  timeoutError,
  transportError,
  worldError,
};
