import { Hono } from 'hono';
import type { AdapterOptions } from 'workflow-studio';
import {
  proxyTriggerFromHono,
  proxyWebhookFromHono,
} from 'workflow-studio/hono';

// The routes are closed, unless the server starts with `INGRESS=on`.
const options: AdapterOptions = {
  mode: process.env.INGRESS === 'on' ? 'proxy-trigger' : 'passthrough',
};

export const ingress = new Hono();

ingress.post('/trigger', async (c) => {
  const { args } = await c.req.json();
  const run = await proxyTriggerFromHono(
    {
      payload: {
        workflowName: 'workflow//./workflows/tour//tour',
        input: args,
      },
      idempotencyKey: c.req.header('idempotency-key'),
    },
    options,
  );
  return c.json(run, 202);
});

ingress.post('/workflow-studio/webhook/:token', (c) =>
  proxyWebhookFromHono({ token: c.req.param('token'), request: c }, options),
);
