// `next dev` without its command, to learn the port.
import http from 'node:http';

import next from 'next';

import { print } from './handle.mjs';

const app = next({ dev: true, dir: import.meta.dirname ?? process.cwd() });
await app.prepare();
const answer = app.getRequestHandler();
const server = http.createServer((req, res) => answer(req, res));
server.listen(0, '127.0.0.1', () => print(`port ${server.address().port}`));
