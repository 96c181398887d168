import { start } from 'workflow/api';
import { tour } from '../../workflows/tour';
import type { Route } from './+types/start';

export async function action({ request }: Route.ActionArgs) {
  const { args } = (await request.json()) as { args: Parameters<typeof tour> };
  const { runId } = await start(tour, args);
  return Response.json({ runId });
}
