import { Module } from '@nestjs/common';
import { AppController } from './app.controller';
import { AppService } from './app.service';
import { ToursModule } from './tours.module';

@Module({
  imports: [ToursModule],
  controllers: [AppController],
  providers: [AppService],
})
export class AppModule {}
