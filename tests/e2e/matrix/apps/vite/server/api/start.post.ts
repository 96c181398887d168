import { start } from 'workflow/api';
import { tour } from '../../workflows/tour';

export default async ({ req }: { req: Request }) => {
  const { args } = (await req.json()) as { args: Parameters<typeof tour> };
  const { runId } = await start(tour, args);
  return { runId };
};
