import { serve } from '@hono/node-server';
import { Hono } from 'hono';
import { home } from './home';
import { ingress } from './ingress';
import { tours } from './tours';

const app = new Hono();

app.route('/', home);
app.route('/api', ingress);
app.route('/api', tours);

serve({ fetch: app.fetch, port: Number(process.env.PORT ?? 3000) });
