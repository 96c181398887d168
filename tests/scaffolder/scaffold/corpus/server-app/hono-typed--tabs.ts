import { Hono } from 'hono';
import { logger } from 'hono/logger';

type Variables = { user: string };

const app = new Hono<{ Variables: Variables }>({ strict: false });

app.use(logger());

export default app;
