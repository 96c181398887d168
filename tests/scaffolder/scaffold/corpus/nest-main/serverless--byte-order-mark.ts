import { NestFactory } from '@nestjs/core';
import serverlessExpress from '@codegenie/serverless-express';
import { AppModule } from './app.module';

let server: any;

export const handler = async (event: unknown, context: unknown) => {
  if (!server) {
    const app = await NestFactory.create(AppModule);
    await app.init();
    server = serverlessExpress({ app: app.getHttpAdapter().getInstance() });
  }
  return server(event, context);
};
