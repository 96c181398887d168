import express from 'express';
import type { Services } from './services';

/** Builds the application; tests call it with fakes. */
export function createApp(services: Services) {
  const app = express();
  app.locals.services = services;
  app.get('/health', (_req, res) => {
    res.json({ ok: true });
  });
  return app;
}
