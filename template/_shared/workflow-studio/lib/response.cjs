// Writes a Web Response to a response of Node.js.
'use strict';

// They belong to one connection, which is the server's business; HTTP/2 forbids
// them.
const OF_THE_CONNECTION = new Set([
  'connection',
  'keep-alive',
  'proxy-connection',
  'transfer-encoding',
  'upgrade',
]);

/**
 * Sends the whole of `response`: status, headers, each cookie for itself, and
 * the body as fast as the caller takes it. Where the caller has gone away, the
 * body is cancelled. Where the body breaks, the connection is destroyed, so that
 * nobody takes a part for the whole, and the error is thrown.
 *
 * @param {Response} response
 * @param {any} res A ServerResponse or Http2ServerResponse.
 * @returns {Promise<void>}
 */
async function sendWebResponse(response, res) {
  if (res.headersSent || isOver(res)) {
    await cancel(response.body, 'The response is over.');
    return;
  }
  try {
    writeHead(response, res);
  } catch (error) {
    await cancel(response.body, error);
    throw error;
  }
  if (!response.body || res.req?.method === 'HEAD') {
    res.end();
    await cancel(response.body, 'A response to HEAD has no body.');
    return;
  }
  await writeBody(response.body.getReader(), res);
}

/**
 * @param {any} res
 * @returns {boolean}
 */
function isOver(res) {
  return Boolean(res.writableEnded || res.destroyed || res.closed);
}

/**
 * @param {ReadableStream | null} body
 * @param {unknown} reason
 */
async function cancel(body, reason) {
  if (body && !body.locked) {
    // What the body's source says to that interests nobody any more.
    await body.cancel(reason).catch(() => {});
  }
}

/**
 * @param {Response} response
 * @param {any} res
 */
function writeHead(response, res) {
  if (response.bodyUsed || response.body?.locked) {
    throw new TypeError('The body of this Response was read before.');
  }
  for (const [name, value] of response.headers) {
    if (!OF_THE_CONNECTION.has(name) && name !== 'set-cookie') {
      res.setHeader(name, value);
    }
  }
  const cookies = response.headers.getSetCookie();
  if (cookies.length > 0) {
    const before = [res.getHeader('set-cookie') ?? []].flat();
    res.setHeader('set-cookie', [...before, ...cookies]);
  }
  // Response.error() has the status 0, which nobody can be sent.
  res.statusCode = response.status || 500;
  if (response.statusText && res.req?.httpVersionMajor !== 2) {
    res.statusMessage = response.statusText;
  }
  // More or less than content-length says would be taken for another response.
  res.strictContentLength = true;
}

/**
 * @param {ReadableStreamDefaultReader<Uint8Array>} reader
 * @param {any} res
 */
async function writeBody(reader, res) {
  let gone = false;
  const onClose = () => {
    gone = true;
    // This also ends a read that waits for a part which nobody wants now.
    reader
      .cancel(new DOMException('The caller has gone.', 'AbortError'))
      .catch(() => {});
  };
  res.once('close', onClose);
  try {
    begin(res);
    while (!gone) {
      const { done, value } = await reader.read();
      if (gone) {
        return;
      }
      if (done) {
        res.off('close', onClose);
        res.end();
        return;
      }
      if (!res.write(checked(value))) {
        await drained(res);
      }
    }
  } catch (error) {
    res.off('close', onClose);
    reader.cancel(error).catch(() => {});
    if (gone) {
      return;
    }
    destroy(res);
    throw error;
  }
}

/**
 * Sends the head, so that the caller learns of the response before its first
 * part is there.
 *
 * @param {any} res
 */
function begin(res) {
  if (res.stream) {
    res.flushHeaders(); // HTTP/2
  } else {
    // flushHeaders of HTTP/1 would send what is not ASCII in them as UTF-8.
    res.write('', 'latin1');
  }
}

/**
 * @param {unknown} chunk
 * @returns {Uint8Array}
 */
function checked(chunk) {
  if (chunk instanceof Uint8Array) {
    return chunk;
  }
  throw new TypeError('The body of a Response is made of bytes (Uint8Array).');
}

/**
 * @param {any} res
 * @returns {Promise<void>}
 */
function drained(res) {
  return new Promise((resolve) => {
    const done = () => {
      res.off('drain', done);
      res.off('close', done);
      resolve();
    };
    res.on('drain', done);
    res.on('close', done);
    if (isOver(res)) {
      done();
    }
  });
}

/**
 * @param {any} res
 */
function destroy(res) {
  if (res.stream && typeof res.stream.close === 'function') {
    res.stream.close(2); // HTTP/2: INTERNAL_ERROR; other requests go on
  } else {
    res.destroy();
  }
}

module.exports = { sendWebResponse };
