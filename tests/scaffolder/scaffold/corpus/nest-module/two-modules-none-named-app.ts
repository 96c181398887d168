import { Module } from '@nestjs/common';

@Module({})
export class FirstModule {}

@Module({ imports: [FirstModule] })
export class SecondModule {}
