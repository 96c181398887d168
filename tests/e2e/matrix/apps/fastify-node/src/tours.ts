import { Readable } from 'node:stream';
import type { ReadableStream } from 'node:stream/web';
import type { FastifyInstance } from 'fastify';
import { getRun, resumeHook, start } from 'workflow/api';
import { tour } from '../workflows/tour';

export async function tours(app: FastifyInstance) {
  app.post<{ Body: { args: Parameters<typeof tour> } }>(
    '/start',
    async (request) => {
      const { runId } = await start(tour, request.body.args);
      return { runId };
    },
  );

  app.get<{ Querystring: { id: string } }>('/run', async (request) => {
    const run = getRun(request.query.id);
    const status = await run.status;
    const result = status === 'completed' ? await run.returnValue : undefined;
    return { status, result };
  });

  app.post<{ Body: { token: string; payload: unknown } }>(
    '/hook',
    async (request) => {
      await resumeHook(request.body.token, request.body.payload);
      return { resumed: true };
    },
  );

  app.get<{ Querystring: { id: string } }>('/stream', (request, reply) => {
    const { readable } = getRun(request.query.id);
    reply.type('text/plain').send(Readable.fromWeb(readable as ReadableStream));
  });
}
