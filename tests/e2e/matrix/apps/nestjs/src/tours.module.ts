import { Module } from '@nestjs/common';
import { IngressController } from './ingress.controller.js';
import { ToursController } from './tours.controller.js';

@Module({ controllers: [IngressController, ToursController] })
export class ToursModule {}
