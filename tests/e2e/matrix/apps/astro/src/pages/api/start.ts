import type { APIRoute } from 'astro';
import { start } from 'workflow/api';
import { tour } from '../../workflows/tour';

export const POST: APIRoute = async ({ request }) => {
  const { args } = (await request.json()) as { args: Parameters<typeof tour> };
  const { runId } = await start(tour, args);
  return Response.json({ runId });
};
