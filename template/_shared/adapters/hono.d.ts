import type { proxyTrigger, proxyWebhook } from './index';
import type { AdapterOptions } from './types';

/**
 * Lets Nitro serve the app, and the worker run its workflows:
 * `export default withWorkflowStudioHono(defineNitroConfig({ … }))`.
 * The route `/**` of the config is the module whose default export is the app.
 */
export function withWorkflowStudioHono<T extends object>(
  config?: T,
  options?: AdapterOptions,
): T;

/** Returns the Web `Request` of a context of Hono, or of its request. */
export function convertHonoRequest(
  context: { req: { raw: Request } } | { raw: Request } | Request,
): Request;

export const proxyTriggerFromHono: typeof proxyTrigger;

export const proxyWebhookFromHono: typeof proxyWebhook;
