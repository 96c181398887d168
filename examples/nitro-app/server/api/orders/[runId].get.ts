import { defineHandler } from 'nitro';
import { getRun } from 'workflow/api';

export default defineHandler(async ({ context }) => {
  const runId = context.params?.runId ?? '';
  const run = getRun(runId);
  if (!(await run.exists)) {
    return Response.json({ message: 'No such order.' }, { status: 404 });
  }
  const status = await run.status;
  const result = status === 'completed' ? await run.returnValue : undefined;
  return { runId, status, result };
});
