import { defineEventHandler, getHeader, readBody, setResponseStatus } from 'h3';
import { proxyTriggerFromNitro } from 'workflow-studio/nitro';
import { ingress } from '../utils/ingress';

export default defineEventHandler(async (event) => {
  const { args } = await readBody<{ args: unknown[] }>(event);
  const run = await proxyTriggerFromNitro(
    {
      payload: {
        workflowName: 'workflow//./workflows/tour//tour',
        input: args,
      },
      idempotencyKey: getHeader(event, 'idempotency-key'),
    },
    ingress,
  );
  setResponseStatus(event, 202);
  return run;
});
