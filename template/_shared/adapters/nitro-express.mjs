// Makes what Nitro can call of an Express app.

/**
 * @param {import('node:http').RequestListener} app
 * @returns {import('node:http').RequestListener}
 */
export function serve(app) {
  // Express takes a third parameter, and whoever sees three passes one: then
  // Express leaves what it does not know to the caller, where a 404 becomes 200.
  return (request, response) => app(request, response);
}
