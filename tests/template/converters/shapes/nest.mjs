// Without decorators, which Node.js does not read: they are only functions.
import 'reflect-metadata';

import { All, Controller, Module, Req, Res } from '@nestjs/common';
import { NestFactory } from '@nestjs/core';
import { FastifyAdapter } from '@nestjs/platform-fastify';
import workflowStudio from 'workflow-studio';

import { handle, print } from './handle.mjs';

const { toNodeHandler } = workflowStudio;
const onFastify = process.argv[2] === 'fastify';
class Parsed {
  answer(req, res) {
    return toNodeHandler(handle)(req, res);
  }
}
Controller('parsed')(Parsed);
Req()(Parsed.prototype, 'answer', 0);
Res()(Parsed.prototype, 'answer', 1);
All(onFastify ? '*' : '*path')(
  Parsed.prototype,
  'answer',
  Object.getOwnPropertyDescriptor(Parsed.prototype, 'answer'),
);
class App {}
Module({ controllers: [Parsed] })(App);

const app = await NestFactory.create(
  App,
  ...(onFastify ? [new FastifyAdapter()] : []),
  { logger: false, rawBody: process.argv.includes('rawBody') },
);
if (onFastify) {
  app.useBodyParser('application/octet-stream'); // else Fastify answers 415
}
const raw = toNodeHandler(handle);
app.use((req, res, next) =>
  (req.originalUrl ?? req.url).startsWith('/raw/') ? raw(req, res) : next(),
);
await app.listen(0, '127.0.0.1');
print(`port ${app.getHttpServer().address().port}`);
