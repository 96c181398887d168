import { createFileRoute } from '@tanstack/react-router';
import { proxyWebhookFromTanStackStart } from 'workflow-studio/tanstack-start';
import { ingress } from '../../../ingress';

export const Route = createFileRoute('/api/workflow-studio/webhook/$token')({
  server: {
    handlers: {
      POST: ({ params: { token }, request }) =>
        proxyWebhookFromTanStackStart({ token, request }, ingress),
    },
  },
});
