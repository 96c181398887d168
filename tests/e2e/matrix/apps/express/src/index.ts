import express from 'express';
import { ingress } from './ingress';
import { tours } from './tours';

const app = express();
app.use('/api', ingress);
app.use(express.json(), express.urlencoded());

app.get('/', (_request, response) => {
  response.send('tours');
});

app.use('/api', tours);

export default app;
