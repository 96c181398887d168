import { Module } from '@nestjs/common';
import { AuthModule } from './auth/auth.module';
import { MailModule } from './mail/mail.module';

const features = [AuthModule, MailModule];

@Module({
  imports: features,
})
export class AppModule {}
