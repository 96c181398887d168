import { Module } from '@nestjs/common'; // nest
/* features */
import { AModule } from './a.module';

/**
 * The root.
 */
@Module({
  // what it is made of
  imports: [
    AModule, // a
    /* BModule, */
  ],
  /* nothing to provide */
})
export class AppModule {} // root
