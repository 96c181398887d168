import { json } from '@sveltejs/kit';
import { getRun } from 'workflow/api';
import type { RequestHandler } from './$types';

export const GET: RequestHandler = async ({ url }) => {
  const run = getRun(url.searchParams.get('id') ?? '');
  const status = await run.status;
  const result = status === 'completed' ? await run.returnValue : undefined;
  return json({ status, result });
};
