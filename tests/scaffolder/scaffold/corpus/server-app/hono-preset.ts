import { Hono } from 'hono/tiny';

export default new Hono();
