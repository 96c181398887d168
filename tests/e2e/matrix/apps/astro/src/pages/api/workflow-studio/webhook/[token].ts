import type { APIRoute } from 'astro';
import { proxyWebhookFromAstro } from 'workflow-studio/astro';
import { ingress } from '../../../../ingress';

export const POST: APIRoute = ({ params, request }) =>
  proxyWebhookFromAstro({ token: params.token ?? '', request }, ingress);
