import { json } from '@sveltejs/kit';
import { getRun } from 'workflow/api';
import type { RequestHandler } from './$types';

export const GET: RequestHandler = async ({ params }) => {
  const { runId } = params;
  const run = getRun(runId);
  if (!(await run.exists)) {
    return json({ message: 'No such order.' }, { status: 404 });
  }
  const status = await run.status;
  const result = status === 'completed' ? await run.returnValue : undefined;
  return json({ runId, status, result });
};
