import fastify from 'fastify';
import { ingress } from './ingress';
import { tours } from './tours';

const app = fastify();

app.get('/', async () => 'tours');

app.register(ingress, { prefix: '/api' });
app.register(tours, { prefix: '/api' });

export default app;
