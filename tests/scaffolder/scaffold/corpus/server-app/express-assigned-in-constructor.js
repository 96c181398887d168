import express from 'express';

export default class Server {
  constructor() {
    this.app = express();
    this.app.use(express.json());
  }
}
