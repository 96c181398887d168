import { NestFactory } from '@nestjs/core';
import { withWorkflowStudioNest } from 'workflow-studio/nest';
import { AppModule } from './app.module';

async function bootstrap() {
  const app = await NestFactory.create(AppModule);
  withWorkflowStudioNest(app);
  await app.listen(3000);
}
bootstrap();
