import { Hono } from 'hono';

const books = new Hono();
const app = new Hono();
app.route('/books', books);

export default app;
