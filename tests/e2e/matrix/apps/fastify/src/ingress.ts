import type { FastifyInstance } from 'fastify';
import type { AdapterOptions } from 'workflow-studio';
import {
  proxyTriggerFromFastify,
  proxyWebhookFromFastify,
} from 'workflow-studio/fastify';

// The routes are closed, unless the server starts with `INGRESS=on`.
const options: AdapterOptions = {
  mode: process.env.INGRESS === 'on' ? 'proxy-trigger' : 'passthrough',
};

export async function ingress(app: FastifyInstance) {
  app.post<{ Body: { args: unknown[] } }>(
    '/trigger',
    async (request, reply) => {
      const { args } = request.body;
      const run = await proxyTriggerFromFastify(
        {
          payload: {
            workflowName: 'workflow//./workflows/tour//tour',
            input: args,
          },
          idempotencyKey: request.headers['idempotency-key']?.toString(),
        },
        options,
      );
      return reply.code(202).send(run);
    },
  );

  app.register(async (webhooks) => {
    // Whatever its type, the body stays as it was sent.
    webhooks.removeAllContentTypeParsers();
    webhooks.addContentTypeParser('*', (_request, _payload, done) =>
      done(null),
    );
    webhooks.post<{ Params: { token: string } }>(
      '/workflow-studio/webhook/:token',
      async (request, reply) => {
        const { token } = request.params;
        return reply.send(
          await proxyWebhookFromFastify({ token, request }, options),
        );
      },
    );
  });
}
