import { proxyTriggerFromNuxt } from 'workflow-studio/nuxt';

export default defineEventHandler(async (event) => {
  const { args } = await readBody<{ args: unknown[] }>(event);
  const run = await proxyTriggerFromNuxt(
    {
      payload: {
        workflowName: 'workflow//./server/workflows/tour//tour',
        input: args,
      },
      idempotencyKey: getHeader(event, 'idempotency-key'),
    },
    ingress,
  );
  setResponseStatus(event, 202);
  return run;
});
