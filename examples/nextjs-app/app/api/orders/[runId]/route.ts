import { getRun } from 'workflow/api';

export async function GET(
  _request: Request,
  { params }: { params: Promise<{ runId: string }> },
) {
  const { runId } = await params;
  const run = getRun(runId);
  if (!(await run.exists)) {
    return Response.json({ message: 'No such order.' }, { status: 404 });
  }
  const status = await run.status;
  const result = status === 'completed' ? await run.returnValue : undefined;
  return Response.json({ runId, status, result });
}
