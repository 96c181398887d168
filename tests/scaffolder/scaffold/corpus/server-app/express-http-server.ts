import { createServer } from 'node:http';
import express from 'express';
import { WebSocketServer } from 'ws';

const app = express();
const server = createServer(app);
const sockets = new WebSocketServer({ server });

sockets.on('connection', (socket) => socket.send('hi'));
server.listen(3000);
