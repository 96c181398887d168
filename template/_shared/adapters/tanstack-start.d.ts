import type { UserConfigExport } from 'vite';
import type { proxyTrigger, proxyWebhook } from './index';
import type { AdapterOptions, ConvertOptions } from './types';

/**
 * Lets the app's workflows run on the worker:
 * `export default withWorkflowStudioTanStackStart(defineConfig({ … }))`. The config's
 * plugins are `workflow()`, `nitro()` and `tanstackStart()`, besides the app's own.
 */
export function withWorkflowStudioTanStackStart<T extends UserConfigExport>(
  config?: T,
  options?: AdapterOptions,
): T;

/** Returns the Web `Request` of what a server route's handler is given. */
export function convertTanStackStartRequest(
  event: { request: Request } | Request,
): Request;

export const proxyTriggerFromTanStackStart: typeof proxyTrigger;

export const proxyWebhookFromTanStackStart: typeof proxyWebhook;
