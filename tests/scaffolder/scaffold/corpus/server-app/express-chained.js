import express from 'express';

express()
  .use(express.static('public'))
  .get('/', (req, res) => res.render('pages/index'))
  .listen(5000);
