import { Module, ModuleMetadata } from '@nestjs/common';
import { AppController } from './app.controller';

const metadata: ModuleMetadata = {
  imports: [],
  controllers: [AppController],
};

@Module(metadata)
export class AppModule {}
