import { start } from 'workflow/api';
import { tour } from '../../../workflows/tour';

export async function POST(request: Request) {
  const { args } = (await request.json()) as { args: Parameters<typeof tour> };
  const { runId } = await start(tour, args);
  return Response.json({ runId });
}
