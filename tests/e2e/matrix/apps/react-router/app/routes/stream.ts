import { getRun } from 'workflow/api';
import type { Route } from './+types/stream';

export function loader({ request }: Route.LoaderArgs) {
  const run = getRun(new URL(request.url).searchParams.get('id') ?? '');
  return new Response(run.readable, {
    headers: { 'content-type': 'text/plain' },
  });
}
