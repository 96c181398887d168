import { INestApplication } from '@nestjs/common';
import { NestFactory } from '@nestjs/core';
import { AppModule } from './app.module';

async function bootstrap(): Promise<void> {
  const app: INestApplication = await NestFactory.create(AppModule, { rawBody: true });
  await app.listen(3000);
}

bootstrap().catch((error: unknown) => {
  console.error(error);
  process.exit(1);
});
