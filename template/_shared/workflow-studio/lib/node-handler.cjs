// Puts a function from Request to Response in the place of a handler of
// node:http, Express, Connect, Vite, Fastify or Next.js' Pages API.
'use strict';

const { toWebRequest } = require('./request.cjs');
const { WorkflowStudioRequestError } = require('./request-error.cjs');
const { sendWebResponse } = require('./response.cjs');

/** @typedef {import('../types').ConvertOptions} ConvertOptions */
/**
 * @callback WebHandler
 * @param {Request} request
 * @returns {Promise<Response | undefined | void> | Response | undefined | void}
 */

/**
 * Returns a handler that never throws. Where `handle` returns nothing, the next
 * handler gets the request, if there is one; so does an error of `handle`.
 *
 * @param {WebHandler} handle
 * @param {ConvertOptions} [options]
 * @returns {(req: any, res: any, next?: (error?: unknown) => void) => Promise<void>}
 */
function toNodeHandler(handle, options = {}) {
  return async (req, res, next) => {
    const forward = typeof next === 'function' ? next : undefined;
    const response = nodeResponse(res);
    /** @type {Request | undefined} */
    let request;
    try {
      request = toWebRequest(req, { ...options, response });
      const answer = await handle(request);
      if (answer) {
        await sendWebResponse(answer, response);
      } else if (forward) {
        forward();
      } else {
        await sendWebResponse(
          problem(404, 'not_found', 'Nothing is here.'),
          response,
        );
      }
    } catch (error) {
      await fail(error, request, response, forward);
    }
  };
}

/**
 * Returns the response of Node.js. Fastify's reply is told that it is answered
 * elsewhere; what its hooks have set so far goes along.
 *
 * @param {any} res
 * @returns {any}
 */
function nodeResponse(res) {
  if (typeof res.hijack !== 'function' || !res.raw) {
    return res;
  }
  for (const [name, value] of Object.entries(res.getHeaders())) {
    res.raw.setHeader(name, value);
  }
  res.hijack();
  return res.raw;
}

/**
 * @param {unknown} error
 * @param {Request | undefined} request
 * @param {any} res
 * @param {((error?: unknown) => void) | undefined} next
 */
async function fail(error, request, res, next) {
  if (res.headersSent || res.destroyed || res.writableEnded) {
    // There is nobody to tell but the log; a caller who left is no news.
    if (!request?.signal.aborted) {
      console.error('Workflow Studio: a response broke off.', error);
    }
    return;
  }
  if (error instanceof WorkflowStudioRequestError) {
    const { status, code, problem: message, recovery } = error;
    await sendWebResponse(problem(status, code, message, recovery), res);
  } else if (next) {
    next(error);
  } else {
    console.error('Workflow Studio: a request could not be answered.', error);
    const message = 'The request could not be answered.';
    await sendWebResponse(problem(500, 'internal_error', message), res);
  }
}

/**
 * @param {number} status
 * @param {string} code
 * @param {string} message
 * @param {string} [recovery]
 * @returns {Response}
 */
function problem(status, code, message, recovery) {
  return Response.json({ code, message, recovery }, { status });
}

module.exports = { toNodeHandler };
