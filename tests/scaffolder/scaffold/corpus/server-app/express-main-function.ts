import express from 'express';
import { connect } from './db';

async function main() {
  await connect();

  const app = express();
  app.get('/', (_req, res) => {
    res.send('up');
  });
  app.listen(3000);
}

main();
