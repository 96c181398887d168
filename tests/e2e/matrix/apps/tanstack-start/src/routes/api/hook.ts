import { createFileRoute } from '@tanstack/react-router';
import { resumeHook } from 'workflow/api';

export const Route = createFileRoute('/api/hook')({
  server: {
    handlers: {
      POST: async ({ request }) => {
        const { token, payload } = (await request.json()) as {
          token: string;
          payload: unknown;
        };
        await resumeHook(token, payload);
        return Response.json({ resumed: true });
      },
    },
  },
});
