import { type RouteConfig, index, route } from '@react-router/dev/routes';

export default [
  index('routes/home.tsx'),
  route('api/start', 'routes/start.ts'),
  route('api/run', 'routes/run.ts'),
  route('api/hook', 'routes/hook.ts'),
  route('api/stream', 'routes/stream.ts'),
  route('api/trigger', 'routes/trigger.ts'),
  route('api/workflow-studio/webhook/:token', 'routes/webhook.ts'),
] satisfies RouteConfig;
