import { fastify, type FastifyInstance } from 'fastify';

const app: FastifyInstance = fastify();

app.get('/', async () => 'up');

export default app;