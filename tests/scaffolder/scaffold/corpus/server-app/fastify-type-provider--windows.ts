import type { TypeBoxTypeProvider } from '@fastify/type-provider-typebox';
import Fastify from 'fastify';

const server = Fastify({ logger: true }).withTypeProvider<TypeBoxTypeProvider>();

server.listen({ port: 8080 });
