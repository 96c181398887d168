import type { AstroUserConfig } from 'astro';
import type { proxyTrigger, proxyWebhook } from './index';
import type { AdapterOptions } from './types';

/**
 * Lets the app's workflows run on the worker:
 * `export default withWorkflowStudioAstro(defineConfig({ … }))`.
 */
export function withWorkflowStudioAstro<T extends AstroUserConfig>(
  config?: T,
  options?: AdapterOptions,
): T;

/**
 * Runs when a built server starts: reads the settings in `.env` files, and throws
 * if workflows would run in the wrong place. The build puts the call there.
 */
export function prepareServer(base: string): void;

/** Returns the Web `Request` of an endpoint's context. */
export function convertAstroRequest(
  context: { request: Request } | Request,
): Request;

export const proxyTriggerFromAstro: typeof proxyTrigger;
export const proxyWebhookFromAstro: typeof proxyWebhook;
