import express from 'express';

const app = express();
const admin = express();
app.use('/admin', admin);
app.listen(3000);
