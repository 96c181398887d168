import { Hono as Server } from 'hono';

const server = new Server();
server.get('/', (c) => c.text('ok'));

export default server;
