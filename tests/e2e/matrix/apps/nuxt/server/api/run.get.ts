import { getRun } from 'workflow/api';

export default defineEventHandler(async (event) => {
  const run = getRun(String(getQuery(event).id));
  const status = await run.status;
  const result = status === 'completed' ? await run.returnValue : undefined;
  return { status, result };
});
