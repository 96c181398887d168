import type { ExecutionContext, INestApplication } from '@nestjs/common';
import type { proxyTrigger, proxyWebhook } from './index';
import type { AdapterOptions } from './types';

/**
 * Lets the app's workflows run on the worker, and serves the routes of those that
 * run in the app. Call it first:
 *
 *     const app = await NestFactory.create(AppModule);
 *     await withWorkflowStudioNest(app);
 */
export function withWorkflowStudioNest(
  app: INestApplication,
  options?: AdapterOptions,
): Promise<void>;

/**
 * Returns the Web `Request` of what `@Req()` gives, with Express and Fastify, or
 * of the context of a guard or an interceptor.
 */
export function convertNestRequest(source: object | ExecutionContext): Request;

export const proxyTriggerFromNest: typeof proxyTrigger;
export const proxyWebhookFromNest: typeof proxyWebhook;
