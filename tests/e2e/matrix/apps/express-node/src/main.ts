import express from 'express';
import { home } from './home';
import { ingress } from './ingress';
import { tours } from './tours';

const app = express(); // the one app
app.use('/api', ingress);
app.use(express.json(), express.urlencoded());

app.use('/', home);
app.use('/api', tours);

app.listen(Number(process.env.PORT ?? 3000));
