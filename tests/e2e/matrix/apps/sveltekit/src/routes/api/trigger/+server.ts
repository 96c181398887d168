import { json } from '@sveltejs/kit';
import { proxyTriggerFromSvelteKit } from 'workflow-studio/sveltekit';
import { ingress } from '../../../lib/ingress';
import type { RequestHandler } from './$types';

export const POST: RequestHandler = async ({ request }) => {
  const { args } = await request.json();
  const run = await proxyTriggerFromSvelteKit(
    {
      payload: {
        workflowName: 'workflow//./src/workflows/tour//tour',
        input: args,
      },
      idempotencyKey: request.headers.get('idempotency-key') ?? undefined,
    },
    ingress,
  );
  return json(run, { status: 202 });
};
