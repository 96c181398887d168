import { getRun } from 'workflow/api';

export default async ({ req }: { req: Request }) => {
  const run = getRun(new URL(req.url).searchParams.get('id') ?? '');
  const status = await run.status;
  const result = status === 'completed' ? await run.returnValue : undefined;
  return { status, result };
};
