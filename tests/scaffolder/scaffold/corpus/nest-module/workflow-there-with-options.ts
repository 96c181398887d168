import { Module } from '@nestjs/common';
import { WorkflowModule } from '@workflow/nest';
import { AppController } from './app.controller';

@Module({
  imports: [
    WorkflowModule.forRoot({ dirs: ['src/workflows'], skipBuild: process.env.NODE_ENV === 'production' }),
  ],
  controllers: [AppController],
})
export class AppModule {}
