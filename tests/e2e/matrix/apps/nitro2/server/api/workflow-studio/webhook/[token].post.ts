import { defineEventHandler, getRouterParam } from 'h3';
import { proxyWebhookFromNitro } from 'workflow-studio/nitro';
import { ingress } from '../../../utils/ingress';

export default defineEventHandler((event) => {
  const token = getRouterParam(event, 'token') ?? '';
  return proxyWebhookFromNitro({ token, request: event }, ingress);
});
