import express from 'express';

const build = ({ logger }) => {
  const app = express();
  app.use((req, res, next) => { logger.info(req.url); next(); });
  return app;
};

export default build;
