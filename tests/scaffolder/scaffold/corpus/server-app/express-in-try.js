import express from 'express';

try {
  const app = express();
  app.listen(3000);
} catch (error) {
  console.error(error);
  process.exit(1);
}
