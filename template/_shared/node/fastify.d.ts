import type { IncomingMessage } from 'node:http';
import type { proxyTrigger, proxyWebhook } from './index';

/**
 * Puts the Workflow SDK's routes in front of everything else in the app:
 * `const app = withWorkflowStudioFastify(fastify())`. Returns the app.
 */
export function withWorkflowStudioFastify<T>(app: T): T;

/** Returns the Web `Request` of a request of Fastify. */
export function convertFastifyRequest(
  request: { raw: IncomingMessage } | IncomingMessage,
): Request;

export const proxyTriggerFromFastify: typeof proxyTrigger;

export const proxyWebhookFromFastify: typeof proxyWebhook;
