import type { UserConfig, UserConfigExport } from 'vite';
import type { proxyTrigger, proxyWebhook } from './index';
import type { AdapterOptions } from './types';

/**
 * Lets the app's workflows run on the worker:
 * `export default await withWorkflowStudioSvelteKit(defineConfig({ … }))`.
 */
export function withWorkflowStudioSvelteKit(
  config?: UserConfigExport,
  options?: AdapterOptions,
): Promise<UserConfig>;

/** Returns the Web `Request` of a request event. */
export function convertSvelteKitRequest(
  event: { request: Request } | Request,
): Request;

export const proxyTriggerFromSvelteKit: typeof proxyTrigger;
export const proxyWebhookFromSvelteKit: typeof proxyWebhook;
