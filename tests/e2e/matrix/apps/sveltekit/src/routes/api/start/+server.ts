import { json } from '@sveltejs/kit';
import { start } from 'workflow/api';
import { tour } from '../../../workflows/tour';
import type { RequestHandler } from './$types';

export const POST: RequestHandler = async ({ request }) => {
  const { args } = (await request.json()) as { args: Parameters<typeof tour> };
  const { runId } = await start(tour, args);
  return json({ runId });
};
