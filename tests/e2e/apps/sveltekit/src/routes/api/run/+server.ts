import { getRun } from 'workflow/api';

export async function GET({ request }: { request: Request }) {
  const run = getRun(new URL(request.url).searchParams.get('id') ?? '');
  const status = await run.status;
  return Response.json({
    status,
    result: status === 'completed' ? await run.returnValue : undefined,
  });
}
