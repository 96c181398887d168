import { proxyWebhookFromReactRouter } from 'workflow-studio/react-router';
import { ingress } from '../ingress';
import type { Route } from './+types/webhook';

export function action({ params: { token }, request }: Route.ActionArgs) {
  return proxyWebhookFromReactRouter({ token, request }, ingress);
}
