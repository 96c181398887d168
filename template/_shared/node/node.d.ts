import type {
  IncomingMessage,
  RequestListener,
  ServerResponse,
} from 'node:http';
import type { proxyTrigger, proxyWebhook } from './index';

/**
 * Puts the Workflow SDK's routes in front of a listener of `node:http`:
 * `createServer(withWorkflowStudioNode(listener))`.
 */
export function withWorkflowStudioNode(
  listener: RequestListener,
): RequestListener;

/**
 * Answers the Workflow SDK's routes and the diagnostics; calls `next` for every
 * other request. Bodies must not have been read before.
 */
export function handleWorkflowRequest(
  request: IncomingMessage,
  response: ServerResponse,
  next: (error?: unknown) => void,
): void;

/**
 * The same for servers of Web requests. Returns nothing for every other request.
 */
export function answerWorkflowRequest(
  request: Request,
): Promise<Response | undefined>;

/** Returns the Web `Request` of a request of `node:http`. */
export function convertNodeRequest(request: IncomingMessage): Request;

export const proxyTriggerFromNode: typeof proxyTrigger;

export const proxyWebhookFromNode: typeof proxyWebhook;
