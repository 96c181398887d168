import { Hono } from 'hono';
import { getRun, resumeHook, start } from 'workflow/api';
import { tour } from '../workflows/tour';

export const tours = new Hono();

tours.post('/start', async (c) => {
  const { args } = await c.req.json<{ args: Parameters<typeof tour> }>();
  const { runId } = await start(tour, args);
  return c.json({ runId });
});

tours.get('/run', async (c) => {
  const run = getRun(c.req.query('id') ?? '');
  const status = await run.status;
  const result = status === 'completed' ? await run.returnValue : undefined;
  return c.json({ status, result: result as object | undefined });
});

tours.post('/hook', async (c) => {
  const { token, payload } = await c.req.json();
  await resumeHook(token, payload);
  return c.json({ resumed: true });
});

tours.get('/stream', (c) => {
  const { readable } = getRun(c.req.query('id') ?? '');
  return new Response(readable, { headers: { 'content-type': 'text/plain' } });
});
