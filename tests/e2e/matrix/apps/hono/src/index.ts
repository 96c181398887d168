import { Hono } from 'hono';
import { ingress } from './ingress';
import { tours } from './tours';

const app = new Hono();

app.get('/', (c) => c.text('tours'));

app.route('/api', ingress);
app.route('/api', tours);

export default app;
