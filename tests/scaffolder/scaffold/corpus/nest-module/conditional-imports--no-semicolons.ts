import { Module } from '@nestjs/common'
import { BullModule } from '@nestjs/bullmq'
import { ServeStaticModule } from '@nestjs/serve-static'

@Module({
  imports: [
    BullModule.forRoot({ connection: { host: 'localhost' } }),
    ...(process.env.NODE_ENV === 'production' ? [ServeStaticModule.forRoot({ rootPath: 'public' })] : []),
  ],
})
export class AppModule {}
