import { createFileRoute } from '@tanstack/react-router';
import { getRun } from 'workflow/api';

export const Route = createFileRoute('/api/stream')({
  server: {
    handlers: {
      GET: ({ request }) => {
        const run = getRun(new URL(request.url).searchParams.get('id') ?? '');
        return new Response(run.readable, {
          headers: { 'content-type': 'text/plain' },
        });
      },
    },
  },
});
