import express from 'express';

export class App {
  public readonly server = express();

  constructor(private readonly port: number) {
    this.server.use(express.json());
  }

  listen() {
    this.server.listen(this.port);
  }
}