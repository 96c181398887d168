import http from 'node:http';

import workflowStudio from 'workflow-studio';

import { handle, print } from './handle.mjs';

const { toNodeHandler } = workflowStudio;
const plain = toNodeHandler(handle);
const trusting = toNodeHandler(handle, { trustProxy: true });
const server = http.createServer((req, res) =>
  req.url.startsWith('/trusted/') ? trusting(req, res) : plain(req, res),
);
server.listen(0, '127.0.0.1', () => print(`port ${server.address().port}`));
