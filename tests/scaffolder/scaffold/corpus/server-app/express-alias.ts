import createServer from 'express';

const server = createServer();
server.get('/', (req, res) => { res.end(); });
server.listen(3000);
