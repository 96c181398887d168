import express from 'express';
import type { Express } from 'express';

const app = express() satisfies Express;
app.listen(3000);
