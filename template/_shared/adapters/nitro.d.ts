import type { proxyTrigger, proxyWebhook } from './index';
import type { AdapterOptions } from './types';

/**
 * Lets the app's workflows run on the worker:
 * `export default withWorkflowStudioNitro(defineConfig({ … }))`.
 */
export function withWorkflowStudioNitro<T extends object>(
  config?: T,
  options?: AdapterOptions,
): T;

/** Returns the Web `Request` of an event handler's event. */
export function convertNitroRequest(event: { req: Request } | Request): Request;

export const proxyTriggerFromNitro: typeof proxyTrigger;

export const proxyWebhookFromNitro: typeof proxyWebhook;
