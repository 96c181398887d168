import * as common from '@nestjs/common';

@common.Module({ imports: [] })
export class AppModule {}
