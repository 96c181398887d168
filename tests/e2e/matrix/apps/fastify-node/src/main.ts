import Fastify from 'fastify';
import { home } from './home';
import { ingress } from './ingress';
import { tours } from './tours';

const app = Fastify({
  logger: false,
});

app.register(home);
app.register(ingress, { prefix: '/api' });
app.register(tours, { prefix: '/api' });

await app.listen({ port: Number(process.env.PORT ?? 3000), host: '::' });
