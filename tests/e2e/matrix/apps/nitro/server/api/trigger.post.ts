import { defineHandler } from 'nitro/h3';
import { proxyTriggerFromNitro } from 'workflow-studio/nitro';
import { ingress } from '../utils/ingress';

export default defineHandler(async (event) => {
  const { args } = (await event.req.json()) as { args: unknown[] };
  const run = await proxyTriggerFromNitro(
    {
      payload: {
        workflowName: 'workflow//./workflows/tour//tour',
        input: args,
      },
      idempotencyKey: event.req.headers.get('idempotency-key') ?? undefined,
    },
    ingress,
  );
  event.res.status = 202;
  return run;
});
