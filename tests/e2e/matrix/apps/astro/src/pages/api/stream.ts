import type { APIRoute } from 'astro';
import { getRun } from 'workflow/api';

export const GET: APIRoute = ({ url }) => {
  const run = getRun(url.searchParams.get('id') ?? '');
  return new Response(run.readable, {
    headers: { 'content-type': 'text/plain' },
  });
};
