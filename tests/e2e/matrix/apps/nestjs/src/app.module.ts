import { Module } from '@nestjs/common';
import { AppController } from './app.controller.js';
import { AppService } from './app.service.js';
import { ToursModule } from './tours.module.js';

@Module({
  imports: [ToursModule],
  controllers: [AppController],
  providers: [AppService],
})
export class AppModule {}
