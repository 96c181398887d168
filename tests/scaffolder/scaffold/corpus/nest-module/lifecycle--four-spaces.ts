import { Logger, Module, OnModuleInit } from '@nestjs/common';
import { ScheduleModule } from '@nestjs/schedule';
import { EventEmitterModule } from '@nestjs/event-emitter';

@Module({ imports: [ScheduleModule.forRoot(), EventEmitterModule.forRoot()] })
export class AppModule implements OnModuleInit {
    private readonly logger = new Logger(AppModule.name);

    constructor(private readonly service: Logger) {}

    onModuleInit(): void {
        this.logger.log('started');
    }
}
