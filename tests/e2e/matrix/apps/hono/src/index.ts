import { Hono } from 'hono';
import { tours } from './tours';

const app = new Hono();

app.get('/', (c) => c.text('tours'));

app.route('/api', tours);

export default app;
