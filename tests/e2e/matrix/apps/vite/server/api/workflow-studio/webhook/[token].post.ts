import { defineHandler, getRouterParam } from 'nitro/h3';
import { proxyWebhookFromVite } from 'workflow-studio/vite';
import { ingress } from '../../../utils/ingress';

export default defineHandler((event) => {
  const token = getRouterParam(event, 'token') ?? '';
  return proxyWebhookFromVite({ token, request: event }, ingress);
});
