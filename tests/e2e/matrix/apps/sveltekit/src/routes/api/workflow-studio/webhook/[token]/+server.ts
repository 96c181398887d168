import { proxyWebhookFromSvelteKit } from 'workflow-studio/sveltekit';
import { ingress } from '../../../../../lib/ingress';
import type { RequestHandler } from './$types';

export const POST: RequestHandler = ({ params, request }) =>
  proxyWebhookFromSvelteKit({ token: params.token, request }, ingress);
