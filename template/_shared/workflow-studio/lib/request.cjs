// Turns what frameworks call a request into a Web Request.
'use strict';

/**
 * Returns `source` itself if it is a Request, else a Request with the same
 * method, headers and body.
 *
 * @param {any} source
 * @returns {Request}
 */
function toWebRequest(source) {
  if (source instanceof Request) {
    return source;
  }
  const { method, headers, body, signal } = source;
  const hasBody = method !== 'GET' && method !== 'HEAD' && body;
  return new Request(source.url, {
    method,
    headers: new Headers(headers),
    signal,
    // A streamed body must be declared half-duplex (Fetch standard).
    ...(hasBody ? { body, duplex: 'half' } : {}),
  });
}

module.exports = { toWebRequest };
