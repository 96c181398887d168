import { Readable } from 'node:stream';
import type { ReadableStream } from 'node:stream/web';
import { Router } from 'express';
import { getRun, resumeHook, start } from 'workflow/api';
import { tour } from '../workflows/tour';

export const tours = Router();

tours.post('/start', async (request, response) => {
  const { runId } = await start(tour, request.body.args);
  response.json({ runId });
});

tours.get('/run', async (request, response) => {
  const run = getRun(String(request.query.id));
  const status = await run.status;
  const result = status === 'completed' ? await run.returnValue : undefined;
  response.json({ status, result });
});

tours.post('/hook', async (request, response) => {
  await resumeHook(request.body.token, request.body.payload);
  response.json({ resumed: true });
});

tours.get('/stream', (request, response) => {
  const { readable } = getRun(String(request.query.id));
  response.type('text/plain');
  Readable.fromWeb(readable as ReadableStream).pipe(response);
});
