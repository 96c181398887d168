import { Module } from '@nestjs/common';
import { JobsModule } from './jobs/jobs.module';

export @Module({ imports: [JobsModule] }) class AppModule {}
