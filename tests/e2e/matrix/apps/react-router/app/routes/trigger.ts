import { proxyTriggerFromReactRouter } from 'workflow-studio/react-router';
import { ingress } from '../ingress';
import type { Route } from './+types/trigger';

export async function action({ request }: Route.ActionArgs) {
  const { args } = (await request.json()) as { args: unknown[] };
  const run = await proxyTriggerFromReactRouter(
    {
      payload: {
        workflowName: 'workflow//./workflows/tour//tour',
        input: args,
      },
      idempotencyKey: request.headers.get('idempotency-key') ?? undefined,
    },
    ingress,
  );
  return Response.json(run, { status: 202 });
}
