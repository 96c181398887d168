import type { NuxtConfig } from 'nuxt/schema';
import type { proxyTrigger, proxyWebhook } from './index';
import type { AdapterOptions } from './types';

/**
 * Lets the app's workflows run on the worker:
 * `export default withWorkflowStudioNuxt(defineNuxtConfig({ … }))`.
 */
export function withWorkflowStudioNuxt<T extends NuxtConfig>(
  config?: T,
  options?: AdapterOptions,
): T;

/** Returns the Web `Request` of an event handler's event. */
export function convertNuxtRequest(event: object): Request;

export const proxyTriggerFromNuxt: typeof proxyTrigger;
export const proxyWebhookFromNuxt: typeof proxyWebhook;
