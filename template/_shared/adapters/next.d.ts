import type { IncomingMessage } from 'node:http';
import type { NextConfig } from 'next';
import type { proxyTrigger, proxyWebhook } from './index';
import type { AdapterOptions } from './types';

export type NextConfigFunction = (
  phase: string,
  context: { defaultConfig: NextConfig },
) => NextConfig | Promise<NextConfig>;

/**
 * Lets the app's workflows run on the worker. `withWorkflow` stays outermost:
 * `export default withWorkflow(withWorkflowStudioNext(nextConfig))`.
 */
export function withWorkflowStudioNext(
  config?: NextConfig | NextConfigFunction,
  options?: AdapterOptions,
): (
  phase: string,
  context: { defaultConfig: NextConfig },
) => Promise<NextConfig>;

/** Returns the request of a route handler, or of the Pages API, as a Web `Request`. */
export function convertNextRequest(request: Request | IncomingMessage): Request;

export const proxyTriggerFromNext: typeof proxyTrigger;
export const proxyWebhookFromNext: typeof proxyWebhook;
