export default async function app(fastify, opts) {
  fastify.get('/', async () => ({ root: true }));
}
