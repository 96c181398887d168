import {
  Body,
  Controller,
  Headers,
  HttpCode,
  Param,
  Post,
  Req,
  Res,
} from '@nestjs/common';
import type { FastifyReply } from 'fastify';
import type { AdapterOptions } from 'workflow-studio';
import {
  proxyTriggerFromNest,
  proxyWebhookFromNest,
} from 'workflow-studio/nest';

// The routes are closed, unless the server starts with `INGRESS=on`.
const options: AdapterOptions = {
  mode: process.env.INGRESS === 'on' ? 'proxy-trigger' : 'passthrough',
};

@Controller('api')
export class IngressController {
  @Post('trigger')
  @HttpCode(202)
  async trigger(
    @Body() { args }: { args: unknown[] },
    @Headers('idempotency-key') idempotencyKey?: string,
  ) {
    return proxyTriggerFromNest(
      {
        payload: {
          workflowName: 'workflow//./src/workflows/tour//tour',
          input: args,
        },
        idempotencyKey,
      },
      options,
    );
  }

  @Post('workflow-studio/webhook/:token')
  async webhook(
    @Param('token') token: string,
    @Req() request: object,
    @Res() reply: FastifyReply,
  ) {
    reply.send(await proxyWebhookFromNest({ token, request }, options));
  }
}
