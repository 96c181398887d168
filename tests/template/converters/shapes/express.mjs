import express from 'express';
import workflowStudio from 'workflow-studio';

import { handle, print } from './handle.mjs';

const { toNodeHandler } = workflowStudio;
const app = express();
const mounted = express();
const router = express.Router();

router.use('/inner', toNodeHandler(handle));
mounted.use('/router', router);
app.use('/mounted', mounted);
app.use('/raw', toNodeHandler(handle));
app.use(
  '/passed',
  toNodeHandler(() => undefined),
  (req, res) => void res.send(`left ${req.originalUrl}`),
);
app.use(
  '/failed',
  toNodeHandler(() => {
    throw new Error('the handler failed');
  }),
  (error, req, res, next) => void res.status(599).send(error.message),
);
app.use(
  '/parsed',
  express.json({ limit: '10mb' }),
  express.urlencoded({ extended: true }),
  express.text(),
  express.raw({ type: 'application/octet-stream' }),
  toNodeHandler(handle),
);
app.use(
  '/swallowed',
  (req, res, next) => void req.resume().on('end', next),
  toNodeHandler(handle),
);
const server = app.listen(0, '127.0.0.1', () =>
  print(`port ${server.address().port}`),
);
