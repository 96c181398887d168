import { Module, ValidationPipe } from '@nestjs/common';
import { APP_FILTER, APP_GUARD, APP_PIPE } from '@nestjs/core';
import { ThrottlerGuard, ThrottlerModule } from '@nestjs/throttler';
import { AllExceptionsFilter } from './all-exceptions.filter';

@Module({
  imports: [ThrottlerModule.forRoot({ throttlers: [{ ttl: 60000, limit: 10 }] })],
  providers: [
    { provide: APP_GUARD, useClass: ThrottlerGuard },
    { provide: APP_FILTER, useClass: AllExceptionsFilter },
    { provide: APP_PIPE, useFactory: () => new ValidationPipe({ whitelist: true }) },
  ],
})
export class AppModule {}
