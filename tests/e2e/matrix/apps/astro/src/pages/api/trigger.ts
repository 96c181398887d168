import type { APIRoute } from 'astro';
import { proxyTriggerFromAstro } from 'workflow-studio/astro';
import { ingress } from '../../ingress';

export const POST: APIRoute = async ({ request }) => {
  const { args } = (await request.json()) as { args: unknown[] };
  const run = await proxyTriggerFromAstro(
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
};
