import { Module } from '@nestjs/common';
import { WorkflowModule } from '@workflow/nest';

@Module({
    imports: [WorkflowModule.forRoot()],
})
export class AppModule {}
