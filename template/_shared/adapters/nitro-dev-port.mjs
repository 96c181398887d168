// Runs in a dev worker: the SDK composes the URLs of webhooks with the port of the
// dev server instead of the worker's own.
import { existsSync } from 'node:fs';
import { join } from 'node:path';
import { pathToFileURL } from 'node:url';
import { getEnvironmentData } from 'node:worker_threads';
import { followPackages } from './lib/packages.cjs';

const devPort = getEnvironmentData('workflow-studio:dev-port');
const core = followPackages(['workflow', '@workflow/core'], process.cwd());
const module = core && join(core, 'dist/runtime/get-port-lazy.js');

if (devPort instanceof Int32Array && module && existsSync(module)) {
  // The SDK has no setting for it, but a resolver that can be replaced. Without
  // one the URLs are as they would be without this file.
  const { setPortResolverForTesting } = await import(
    /* @vite-ignore */ pathToFileURL(module).href
  );
  setPortResolverForTesting?.(
    async () =>
      Atomics.load(devPort, 0) || Number(process.env.PORT) || undefined,
  );
}

export default () => {};
