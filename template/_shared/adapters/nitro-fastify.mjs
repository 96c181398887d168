// Makes what Nitro can call of a Fastify app.

/**
 * @param {any} app An instance, or a function of request and response.
 * @returns {Promise<import('node:http').RequestListener>}
 */
export async function serve(app) {
  if (typeof app === 'function') {
    return (request, response) => app(request, response);
  }
  await app.ready();
  return (request, response) => app.routing(request, response);
}
