import { createFileRoute } from '@tanstack/react-router';
import { start } from 'workflow/api';
import { tour } from '../../workflows/tour';

export const Route = createFileRoute('/api/start')({
  server: {
    handlers: {
      POST: async ({ request }) => {
        const { args } = (await request.json()) as {
          args: Parameters<typeof tour>;
        };
        const { runId } = await start(tour, args);
        return Response.json({ runId });
      },
    },
  },
});
