import { proxyWebhookFromNuxt } from 'workflow-studio/nuxt';

export default defineEventHandler((event) => {
  const token = getRouterParam(event, 'token') ?? '';
  return proxyWebhookFromNuxt({ token, request: event }, ingress);
});
