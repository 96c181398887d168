import {
  Body,
  Controller,
  Get,
  HttpCode,
  Post,
  Query,
  StreamableFile,
} from '@nestjs/common';
import { Readable } from 'node:stream';
import type { ReadableStream } from 'node:stream/web';
import { getRun, resumeHook, start } from 'workflow/api';
import { tour } from './workflows/tour';

interface Start {
  args: Parameters<typeof tour>;
}

interface Resume {
  token: string;
  payload: unknown;
}

@Controller('api')
export class ToursController {
  @Post('start')
  @HttpCode(200)
  async start(@Body() { args }: Start) {
    const { runId } = await start(tour, args);
    return { runId };
  }

  @Get('run')
  async run(@Query('id') id: string) {
    const run = getRun(id);
    const status = await run.status;
    const result = status === 'completed' ? await run.returnValue : undefined;
    return { status, result };
  }

  @Post('hook')
  @HttpCode(200)
  async hook(@Body() { token, payload }: Resume) {
    await resumeHook(token, payload);
    return { resumed: true };
  }

  @Get('stream')
  stream(@Query('id') id: string) {
    const { readable } = getRun(id);
    const bytes = Readable.fromWeb(readable as ReadableStream);
    return new StreamableFile(bytes, { type: 'text/plain' });
  }
}
