import { NestFactory } from '@nestjs/core';
import { AppModule } from './app.module';

async function bootstrap() {
  const starting = NestFactory.create(AppModule);
  const app = await starting;
  await app.listen(3000);
}
bootstrap();
