import { Module } from '@nestjs/common';

@Module({
  imports: [],
})
export default class AppModule {}
