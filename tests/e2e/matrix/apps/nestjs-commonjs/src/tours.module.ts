import { Module } from '@nestjs/common';
import { IngressController } from './ingress.controller';
import { ToursController } from './tours.controller';

@Module({ controllers: [IngressController, ToursController] })
export class ToursModule {}
