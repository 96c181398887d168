import type { UserConfigExport } from 'vite';
import type { proxyTrigger, proxyWebhook } from './index';
import type { AdapterOptions, ConvertOptions } from './types';

/**
 * Lets the app's workflows run on the worker:
 * `export default withWorkflowStudioVite(defineConfig({ … }))`. The config's
 * plugins are `nitro()` and `workflow()`, besides the app's own.
 */
export function withWorkflowStudioVite<T extends UserConfigExport>(
  config?: T,
  options?: AdapterOptions,
): T;

/**
 * Returns the Web `Request` of a handler's event, or of a request of Vite's
 * middlewares.
 */
export function convertViteRequest(
  event: { req: Request } | Request | import('node:http').IncomingMessage,
  options?: ConvertOptions,
): Request;

export const proxyTriggerFromVite: typeof proxyTrigger;

export const proxyWebhookFromVite: typeof proxyWebhook;
