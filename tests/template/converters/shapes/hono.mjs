import { serve } from '@hono/node-server';
import { Hono } from 'hono';
import workflowStudio from 'workflow-studio';

import { handle, print } from './handle.mjs';

const { toWebRequest } = workflowStudio;
const app = new Hono();
app.all('/raw/*', (c) => handle(toWebRequest(c)));
serve({ fetch: app.fetch, hostname: '127.0.0.1', port: 0 }, ({ port }) =>
  print(`port ${port}`),
);
