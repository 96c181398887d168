import { start } from 'workflow/api';
import * as workflows from '../../workflows/features';

export default async ({ req }: { req: Request }) => {
  const { workflow, args } = (await req.json()) as {
    workflow: keyof typeof workflows;
    args: never[];
  };
  const run = await start(workflows[workflow] as never, args);
  return { runId: run.runId, pid: process.pid };
};
