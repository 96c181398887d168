import type { IncomingMessage } from 'node:http';
import type { proxyTrigger, proxyWebhook } from './index';
import type { AdapterOptions } from './types';

/**
 * Lets Nitro serve the app, and the worker run its workflows:
 * `export default withWorkflowStudioExpress(defineNitroConfig({ … }))`.
 * The route `/**` of the config is the module whose default export is the app.
 */
export function withWorkflowStudioExpress<T extends object>(
  config?: T,
  options?: AdapterOptions,
): T;

/** Returns the Web `Request` of a request of Express. */
export function convertExpressRequest(request: IncomingMessage): Request;

export const proxyTriggerFromExpress: typeof proxyTrigger;

export const proxyWebhookFromExpress: typeof proxyWebhook;
