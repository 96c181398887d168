import { getRun } from 'workflow/api';
import type { Route } from './+types/run';

export async function loader({ request }: Route.LoaderArgs) {
  const run = getRun(new URL(request.url).searchParams.get('id') ?? '');
  const status = await run.status;
  const result = status === 'completed' ? await run.returnValue : undefined;
  return Response.json({ status, result });
}
