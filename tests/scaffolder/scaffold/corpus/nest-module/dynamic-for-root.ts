import { DynamicModule, Module } from '@nestjs/common';
import { CoreModule } from './core.module';

@Module({})
export class AppModule {
  static forRoot(options: { debug: boolean }): DynamicModule {
    return { module: AppModule, imports: [CoreModule.register(options)] };
  }
}
