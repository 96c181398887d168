import { createServer } from 'vite';
import workflowStudio from 'workflow-studio';

import { handle, print } from './handle.mjs';

const { toNodeHandler } = workflowStudio;
const server = await createServer({
  configFile: false,
  logLevel: 'silent',
  server: { host: '127.0.0.1', port: 0, allowedHosts: true },
  plugins: [
    {
      name: 'routes',
      configureServer(server) {
        server.middlewares.use('/raw', toNodeHandler(handle));
      },
    },
  ],
});
await server.listen();
print(`port ${server.httpServer.address().port}`);
