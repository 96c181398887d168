import express, { Router } from 'express';

const api = Router();
const admin = express.Router({ mergeParams: true });
const app = express();

app.use('/api', api);
app.use('/admin', admin);
app.listen(3000);
