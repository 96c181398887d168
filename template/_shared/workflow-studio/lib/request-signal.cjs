// Tells the code that answers a request when its caller has gone away.
'use strict';

/**
 * Returns a signal that is aborted when the connection closes before the whole
 * response is out. A request that was answered never aborts.
 *
 * @param {any} req
 * @param {any} [response] The request's ServerResponse, where it is known.
 * @returns {AbortSignal}
 */
function abortWithConnection(req, response) {
  const controller = new AbortController();
  const abort = () => controller.abort(disconnected());
  const answer =
    req.httpVersionMajor >= 2 ? undefined : answerOf(req, response);
  if (!answer) {
    // HTTP/2 tells it as such; so does HTTP/1 until the request's body is in.
    if (req.aborted || req.errored) {
      abort();
    } else {
      req.once('aborted', abort);
    }
  } else if (answer.destroyed && !answer.writableFinished) {
    abort();
  } else {
    answer.once('close', () => {
      if (!answer.writableFinished) {
        abort();
      }
    });
  }
  return controller.signal;
}

/**
 * Returns the ServerResponse that belongs to a request, if it can be found.
 *
 * @param {any} req
 * @param {any} [response] What is said to be it.
 * @returns {any}
 */
function answerOf(req, response) {
  if (typeof response?.once === 'function') {
    return response;
  }
  // A server of HTTP/1 answers one request of a connection at a time; the
  // response that it is at names its request.
  const current = req.socket?._httpMessage;
  return current?.req === req ? current : undefined;
}

/**
 * @returns {DOMException}
 */
function disconnected() {
  return new DOMException('The caller closed the connection.', 'AbortError');
}

module.exports = { abortWithConnection, answerOf };
