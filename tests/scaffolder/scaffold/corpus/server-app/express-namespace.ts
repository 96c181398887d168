import * as express from 'express';
import { default as make } from 'express';

const app = make();
app.use(express.json());
app.listen(3000);
