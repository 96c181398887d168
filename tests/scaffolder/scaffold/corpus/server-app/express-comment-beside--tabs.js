import express from 'express';

const app = express(); // the one and only
/* parsers */ app.use(express.json());
app.listen(3000);
