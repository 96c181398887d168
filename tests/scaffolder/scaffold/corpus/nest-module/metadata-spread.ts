import { Module } from '@nestjs/common';
import { base } from './base';

@Module({
  ...base,
  controllers: [],
})
export class AppModule {}
