import { Module } from '@nestjs/common';

@Module({ providers: [] })
export class SharedModule {}

@Module({
  imports: [SharedModule],
})
export class AppModule {}
