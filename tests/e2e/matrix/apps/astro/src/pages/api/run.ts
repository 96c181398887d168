import type { APIRoute } from 'astro';
import { getRun } from 'workflow/api';

export const GET: APIRoute = async ({ url }) => {
  const run = getRun(url.searchParams.get('id') ?? '');
  const status = await run.status;
  const result = status === 'completed' ? await run.returnValue : undefined;
  return Response.json({ status, result });
};
