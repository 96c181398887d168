import { Hono } from 'hono';

export const home = new Hono();

home.get('/', (c) => c.text('tours'));
