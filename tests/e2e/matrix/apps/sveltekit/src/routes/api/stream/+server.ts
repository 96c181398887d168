import { getRun } from 'workflow/api';
import type { RequestHandler } from './$types';

export const GET: RequestHandler = ({ url }) => {
  const { readable } = getRun(url.searchParams.get('id') ?? '');
  return new Response(readable, { headers: { 'content-type': 'text/plain' } });
};
