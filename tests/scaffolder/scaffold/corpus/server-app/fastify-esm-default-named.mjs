import { default as fastify } from 'fastify';

const app = fastify();
app.listen({ port: 3000 });
