// The body of a request of Node.js: as it comes from the connection, or what a
// body parser has made of it.
'use strict';

const { Readable } = require('node:stream');

const { WorkflowStudioRequestError } = require('./request-error.cjs');

/**
 * What a body parser has left: bytes, and what its headers say of them.
 *
 * @typedef {object} ParsedBody
 * @property {Uint8Array<ArrayBuffer> | ReadableStream | null} body
 * @property {boolean} decoded Whether `content-encoding` is undone.
 * @property {boolean} rewritten Whether text was written anew, as UTF-8.
 */

/**
 * Reads a request to its end, so that its connection can take another one; the
 * response needs the connection, too.
 *
 * @param {import('node:stream').Readable} req
 */
function drain(req) {
  req.resume();
}

/**
 * Returns a body that is read when somebody reads it, piece by piece.
 *
 * @param {import('node:stream').Readable} req
 * @param {(req: import('node:stream').Readable) => void} [stop] What to do with
 *   the rest when nobody wants it.
 * @returns {ReadableStream<Uint8Array>}
 */
function streamBody(req, stop = drain) {
  let release = () => {};
  let attached = false;
  /** @param {ReadableStreamDefaultController<Uint8Array>} controller */
  const attach = (controller) => {
    attached = true;
    /** @param {Buffer | string} chunk */
    const onData = (chunk) => {
      req.pause();
      controller.enqueue(bytes(chunk, req.readableEncoding));
    };
    const onEnd = () => {
      release();
      controller.close();
    };
    /** @param {Error} [error] */
    const onLost = (error) => {
      release();
      controller.error(error ?? lost());
    };
    const onClose = () => onLost(req.errored ?? undefined);
    release = () => {
      req.off('data', onData).off('end', onEnd);
      req.off('error', onLost).off('close', onClose);
      // An error without a listener would end the process.
      req.on('error', () => {});
    };
    req.on('data', onData).on('end', onEnd);
    req.on('error', onLost).on('close', onClose);
  };
  return new ReadableStream(
    {
      pull(controller) {
        if (!attached) {
          if (req.destroyed && !req.readableEnded) {
            controller.error(req.errored ?? lost());
            return;
          }
          attach(controller);
        }
        req.resume();
      },
      cancel() {
        release();
        stop(req);
      },
    },
    // Nothing is taken from the connection before somebody wants it.
    { highWaterMark: 0 },
  );
}

/**
 * @returns {Error}
 */
function lost() {
  return Object.assign(
    new Error('The connection was lost before the whole body had come.'),
    { code: 'ECONNRESET' },
  );
}

/**
 * @param {Buffer | string} chunk
 * @param {BufferEncoding | null} encoding
 * @returns {Uint8Array<ArrayBuffer>}
 */
function bytes(chunk, encoding) {
  const buffer =
    typeof chunk === 'string' ? Buffer.from(chunk, encoding ?? 'utf8') : chunk;
  return view(buffer);
}

/**
 * Whether somebody has begun to read the request before.
 *
 * @param {any} req
 * @returns {boolean}
 */
function isTouched(req) {
  return Boolean(req.readableDidRead || req.readableEnded);
}

/**
 * Takes the body from where body parsers leave it: `rawBody` first, since it is
 * what was sent, then `body`.
 *
 * @param {any} req
 * @param {any} body
 * @param {any} rawBody
 * @returns {ParsedBody}
 */
function parsedBody(req, body, rawBody) {
  const length = Number(req.headers['content-length'] ?? Number.NaN);
  for (const given of [rawBody, body]) {
    if (given instanceof Uint8Array) {
      const sent = given.byteLength === length;
      return { body: view(given), decoded: !sent, rewritten: false };
    }
    if (typeof given === 'string') {
      const body = utf8(given);
      // Bytes that are no text were made one, unless they had this length before.
      if (given.includes('\uFFFD') && body.byteLength !== length) {
        throw unreadable(req);
      }
      return { body, decoded: true, rewritten: true };
    }
    if (given instanceof ReadableStream) {
      return { body: given, decoded: false, rewritten: false };
    }
    if (given instanceof Readable && !isTouched(given)) {
      return { body: streamBody(given), decoded: false, rewritten: false };
    }
  }
  if (isEmpty(req, length)) {
    return { body: null, decoded: false, rewritten: false };
  }
  const text = serialized(req, body, length);
  return { body: utf8(text), decoded: true, rewritten: true };
}

/**
 * @param {string} text
 * @returns {Uint8Array<ArrayBuffer>}
 */
function utf8(text) {
  return new TextEncoder().encode(text);
}

/**
 * @param {Uint8Array} data
 * @returns {Uint8Array<ArrayBuffer>}
 */
function view(data) {
  return new Uint8Array(
    /** @type {ArrayBuffer} */ (data.buffer),
    data.byteOffset,
    data.byteLength,
  );
}

/**
 * @param {any} req
 * @param {number} length
 * @returns {boolean}
 */
function isEmpty(req, length) {
  return length === 0 || !('content-length' in req.headers || isChunked(req));
}

/**
 * HTTP/2 tells the end of a body without either header.
 *
 * @param {any} req
 * @returns {boolean}
 */
function isChunked(req) {
  return 'transfer-encoding' in req.headers || req.httpVersionMajor >= 2;
}

/**
 * Writes down again what a parser made of JSON or of a form. It is equal in
 * meaning, not byte for byte.
 *
 * @param {any} req
 * @param {any} body
 * @param {number} length What was sent, in bytes; NaN if that is not known.
 * @returns {string}
 */
function serialized(req, body, length) {
  const type = mediaType(req);
  if (
    body !== undefined &&
    (type.endsWith('/json') || type.endsWith('+json'))
  ) {
    const text = JSON.stringify(body);
    if (text !== undefined) {
      return text;
    }
  }
  if (type === 'application/x-www-form-urlencoded') {
    const text = formText(body, length);
    if (text !== undefined) {
      return text;
    }
  }
  throw unreadable(req);
}

/**
 * @param {any} req
 * @returns {WorkflowStudioRequestError}
 */
function unreadable(req) {
  const type = mediaType(req);
  return new WorkflowStudioRequestError(
    'body_already_read',
    500,
    `The body of this request was read before, and what is left of it does not tell what was sent (${type || 'no content type'}).`,
    'Handle the request before the body parsers, or let them keep the bytes as request.rawBody.',
  );
}

/**
 * @param {any} req
 * @returns {string}
 */
function mediaType(req) {
  const type = String(req.headers['content-type'] ?? '');
  return type.split(';')[0].trim().toLowerCase();
}

/**
 * @param {any} body
 * @param {number} length
 * @returns {string | undefined} Nothing where fields were nested, since there
 *   are several ways to write that.
 */
function formText(body, length) {
  if (typeof body !== 'object' || body === null || Array.isArray(body)) {
    return undefined;
  }
  const form = new URLSearchParams();
  for (const [name, value] of Object.entries(body)) {
    for (const item of [value].flat()) {
      if (typeof item !== 'string') {
        return undefined;
      }
      form.append(name, item);
    }
  }
  const text = form.toString();
  // A list may have been sent as a=1&a=2, a[]=1&a[]=2 or a[0]=1&a[1]=2.
  const hasList = Object.values(body).some(Array.isArray);
  return hasList && text.length !== length ? undefined : text;
}

module.exports = { isTouched, parsedBody, streamBody };
