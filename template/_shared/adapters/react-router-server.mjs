// The server of a React Router app, as Nitro wants it.
import { createRequestHandler } from 'react-router';

const handle = createRequestHandler(
  // @ts-ignore: React Router's Vite plugin makes this module.
  () => import('virtual:react-router/server-build'),
  process.env.NODE_ENV,
);

export default {
  /** @param {Request} request */
  fetch: (request) => handle(request),
};
