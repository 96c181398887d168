import express, { Router } from 'express';
import { type AdapterOptions, sendWebResponse } from 'workflow-studio';
import {
  proxyTriggerFromExpress,
  proxyWebhookFromExpress,
} from 'workflow-studio/express';

// The routes are closed, unless the server starts with `INGRESS=on`.
const options: AdapterOptions = {
  mode: process.env.INGRESS === 'on' ? 'proxy-trigger' : 'passthrough',
};

export const ingress = Router();

ingress.post('/trigger', express.json(), async (request, response) => {
  const { args } = request.body;
  const run = await proxyTriggerFromExpress(
    {
      payload: {
        workflowName: 'workflow//./workflows/tour//tour',
        input: args,
      },
      idempotencyKey: request.get('idempotency-key'),
    },
    options,
  );
  response.status(202).json(run);
});

// In front of this route no body parser may stand.
ingress.post('/workflow-studio/webhook/:token', async (request, response) => {
  const { token } = request.params;
  const answer = await proxyWebhookFromExpress({ token, request }, options);
  await sendWebResponse(answer, response);
});
