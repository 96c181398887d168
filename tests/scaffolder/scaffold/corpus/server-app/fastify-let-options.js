import Fastify from 'fastify';
import { options } from './options.js';

export const app = Fastify({ ...options, genReqId: () => crypto.randomUUID() });
