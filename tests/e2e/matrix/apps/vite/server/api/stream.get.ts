import { getRun } from 'workflow/api';

export default ({ req }: { req: Request }) => {
  const run = getRun(new URL(req.url).searchParams.get('id') ?? '');
  return new Response(run.readable, {
    headers: { 'content-type': 'text/plain' },
  });
};
