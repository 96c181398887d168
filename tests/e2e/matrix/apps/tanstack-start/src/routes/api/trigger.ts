import { createFileRoute } from '@tanstack/react-router';
import { proxyTriggerFromTanStackStart } from 'workflow-studio/tanstack-start';
import { ingress } from '../../ingress';

export const Route = createFileRoute('/api/trigger')({
  server: {
    handlers: {
      POST: async ({ request }) => {
        const { args } = (await request.json()) as { args: unknown[] };
        const run = await proxyTriggerFromTanStackStart(
          {
            payload: {
              workflowName: 'workflow//./src/workflows/tour//tour',
              input: args,
            },
            idempotencyKey: request.headers.get('idempotency-key') ?? undefined,
          },
          ingress,
        );
        return Response.json(run, { status: 202 });
      },
    },
  },
});
