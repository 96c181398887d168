import { getRun } from 'workflow/api';

export async function GET(request: Request) {
  const id = new URL(request.url).searchParams.get('id') ?? '';
  const run = getRun(id);
  const status = await run.status;
  const result = status === 'completed' ? await run.returnValue : undefined;
  return Response.json({ status, result });
}
