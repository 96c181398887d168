import type { AstroUserConfig } from 'astro';
import type { proxyTrigger } from './index';
import type { AdapterOptions } from './types';

/**
 * Lets the app's workflows run on the worker:
 * `export default withWorkflowStudioAstro(defineConfig({ … }))`.
 */
export function withWorkflowStudioAstro<T extends AstroUserConfig>(
  config?: T,
  options?: AdapterOptions,
): T;

/** Returns the Web `Request` of an endpoint's context. */
export function convertAstroRequest(
  context: { request: Request } | Request,
): Request;

export const proxyTriggerFromAstro: typeof proxyTrigger;
