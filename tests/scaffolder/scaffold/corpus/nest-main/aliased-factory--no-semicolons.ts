import { NestFactory as Factory } from '@nestjs/core'
import { AppModule } from './app.module'

async function start() {
  const application = await Factory.create(AppModule, { logger: ['error', 'warn'] })
  await application.listen(3000)
}
start()
