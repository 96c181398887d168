import { createServer, type Server } from 'node:http';
import fastify from 'fastify';

const app = fastify<Server>({
  serverFactory: (handler) => createServer(handler),
  bodyLimit: 1_048_576,
});

await app.listen({ port: 3000, host: '::' });
