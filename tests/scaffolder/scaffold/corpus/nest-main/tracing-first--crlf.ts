import './tracing';
import 'reflect-metadata';

import { NestFactory } from '@nestjs/core';

import { AppModule } from './app.module';
import { setupApp } from './setup-app';

async function bootstrap() {
    const app = await NestFactory.create(AppModule);
    setupApp(app);
    await app.listen(parseInt(process.env.PORT ?? '3000', 10));
    console.log(`Application is running on: ${await app.getUrl()}`);
}
bootstrap();
