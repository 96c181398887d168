import type { FastifyInstance } from 'fastify';

export async function home(app: FastifyInstance) {
  app.get('/', async () => 'tours');
}
