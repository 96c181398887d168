import { proxyTriggerFromNext } from 'workflow-studio/next';
import { ingress } from '../../../ingress';

export async function POST(request: Request) {
  const { args } = await request.json();
  const run = await proxyTriggerFromNext(
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
