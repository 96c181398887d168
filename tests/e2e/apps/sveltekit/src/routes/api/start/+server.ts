import { start } from 'workflow/api';
import * as workflows from '../../../workflows/features';

export async function POST({ request }: { request: Request }) {
  const { workflow, args } = (await request.json()) as {
    workflow: keyof typeof workflows;
    args: never[];
  };
  const run = await start(workflows[workflow] as never, args);
  return Response.json({ runId: run.runId, pid: process.pid });
}
