import { createFileRoute } from '@tanstack/react-router';
import { getRun } from 'workflow/api';

export const Route = createFileRoute('/api/run')({
  server: {
    handlers: {
      GET: async ({ request }) => {
        const run = getRun(new URL(request.url).searchParams.get('id') ?? '');
        const status = await run.status;
        const result =
          status === 'completed' ? await run.returnValue : undefined;
        return Response.json({ status, result });
      },
    },
  },
});
