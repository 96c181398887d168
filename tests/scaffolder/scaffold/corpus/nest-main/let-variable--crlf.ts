import { NestFactory } from '@nestjs/core'
import { AppModule } from './app.module'

async function main() {
  let server = await NestFactory.create(AppModule, { bodyParser: false })
  await server.listen(8080)
}

main()
