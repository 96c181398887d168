import Fastify from 'fastify';
import workflowStudio from 'workflow-studio';

import { handle, print } from './handle.mjs';

const { sendWebResponse, toNodeHandler, toWebRequest } = workflowStudio;
const app = Fastify({ trustProxy: ['10.1.2.3'], bodyLimit: 100_000_000 });

// Before its body parsers …
app.addHook('onRequest', async (request, reply) => {
  reply.header('x-hook', 'set before');
  if (request.url.startsWith('/raw/')) {
    reply.hijack();
    await toNodeHandler(handle)(request.raw, reply.raw);
  }
});
// … as a handler behind them …
app.all('/parsed/*', toNodeHandler(handle));
// … and by hand, with the parts.
app.addContentTypeParser('application/x-stream', (request, payload, done) =>
  done(null, payload),
);
app.addContentTypeParser(
  'application/octet-stream',
  { parseAs: 'buffer' },
  (request, body, done) => done(null, body),
);
app.addContentTypeParser(
  'application/x-www-form-urlencoded',
  { parseAs: 'string' },
  (request, body, done) =>
    done(null, Object.fromEntries(new URLSearchParams(body))),
);
app.all('/parts/*', async (request, reply) => {
  reply.hijack();
  await sendWebResponse(await handle(toWebRequest(request)), reply.raw);
});
await app.listen({ port: 0, host: '127.0.0.1' });
print(`port ${app.server.address().port}`);
