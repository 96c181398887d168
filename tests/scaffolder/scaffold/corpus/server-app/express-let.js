import express from 'express';

let app;
app = express();
app.get('/', (req, res) => res.send('ok'));
app.listen(8080);
