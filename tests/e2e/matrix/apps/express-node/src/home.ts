import { Router } from 'express';

export const home = Router();

home.get('/', (_request, response) => {
  response.send('tours');
});
