import fastify from 'fastify';
import { tours } from './tours';

const app = fastify();

app.get('/', async () => 'tours');

app.register(tours, { prefix: '/api' });

export default app;
