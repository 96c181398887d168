import fastify, { type FastifyServerOptions } from 'fastify';

export function build(opts: FastifyServerOptions = {}) {
  const app = fastify(opts);
  app.get('/', async () => ({ hello: 'world' }));
  return app;
}
