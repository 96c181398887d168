import type { IncomingMessage } from 'node:http';
import type { proxyTrigger, proxyWebhook } from './index';

/**
 * Puts the Workflow SDK's routes in front of everything else in the app:
 * `const app = withWorkflowStudioExpress(express())`. Returns the app.
 */
export function withWorkflowStudioExpress<T>(app: T): T;

/** Returns the Web `Request` of a request of Express. */
export function convertExpressRequest(request: IncomingMessage): Request;

export const proxyTriggerFromExpress: typeof proxyTrigger;

export const proxyWebhookFromExpress: typeof proxyWebhook;
