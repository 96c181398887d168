import { defineEventHandler, readBody } from 'h3';
import { start } from 'workflow/api';
import { tour } from '../../workflows/tour';

export default defineEventHandler(async (event) => {
  const { args } = await readBody<{ args: Parameters<typeof tour> }>(event);
  const { runId } = await start(tour, args);
  return { runId };
});
