import type { proxyTrigger, proxyWebhook } from './index';

/**
 * Puts the Workflow SDK's routes in front of everything else in the app:
 * `const app = withWorkflowStudioHono(new Hono())`. Returns the app.
 */
export function withWorkflowStudioHono<T>(app: T): T;

/** Returns the Web `Request` of a context of Hono, or of its request. */
export function convertHonoRequest(
  context: { req: { raw: Request } } | { raw: Request } | Request,
): Request;

export const proxyTriggerFromHono: typeof proxyTrigger;

export const proxyWebhookFromHono: typeof proxyWebhook;
