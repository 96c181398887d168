import type { UserConfigExport } from 'vite';
import type { proxyTrigger, proxyWebhook } from './index';
import type { AdapterOptions, ConvertOptions } from './types';

/**
 * Lets the app's workflows run on the worker:
 * `export default withWorkflowStudioReactRouter(defineConfig({ … }))`. The config's
 * plugins are `reactRouter()`, `nitro()` and `workflow()`, besides the app's own.
 */
export function withWorkflowStudioReactRouter<T extends UserConfigExport>(
  config?: T,
  options?: AdapterOptions,
): T;

/** Returns the Web `Request` of what a loader or action is given. */
export function convertReactRouterRequest(
  event: { request: Request } | Request,
): Request;

export const proxyTriggerFromReactRouter: typeof proxyTrigger;

export const proxyWebhookFromReactRouter: typeof proxyWebhook;
