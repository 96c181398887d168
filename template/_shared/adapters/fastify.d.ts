import type { IncomingMessage } from 'node:http';
import type { proxyTrigger, proxyWebhook } from './index';
import type { AdapterOptions } from './types';

/**
 * Lets Nitro serve the app, and the worker run its workflows:
 * `export default withWorkflowStudioFastify(defineNitroConfig({ … }))`.
 * The route `/**` of the config is the module whose default export is the app.
 */
export function withWorkflowStudioFastify<T extends object>(
  config?: T,
  options?: AdapterOptions,
): T;

/** Returns the Web `Request` of a request of Fastify. */
export function convertFastifyRequest(
  request: { raw: IncomingMessage } | IncomingMessage,
): Request;

export const proxyTriggerFromFastify: typeof proxyTrigger;

export const proxyWebhookFromFastify: typeof proxyWebhook;
