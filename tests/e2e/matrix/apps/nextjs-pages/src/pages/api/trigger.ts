import type { NextApiRequest, NextApiResponse } from 'next';
import { proxyTriggerFromNext } from 'workflow-studio/next';
import { ingress } from '../../ingress';

export default async function handler(
  request: NextApiRequest,
  response: NextApiResponse,
) {
  const { args } = request.body;
  const run = await proxyTriggerFromNext(
    {
      payload: {
        workflowName: 'workflow//./src/workflows/tour//tour',
        input: args,
      },
      idempotencyKey: request.headers['idempotency-key']?.toString(),
    },
    ingress,
  );
  response.status(202).json(run);
}
