import { definePlugin } from 'nitro';
import { getWorld } from 'workflow/runtime';

/**
 * A World that fetches its messages begins with the app. The local one does not
 * need it, and in a bundle it cannot: it looks for its own version in vain
 * (source: @workflow/world-local 4.4.1, init.js).
 */
export default definePlugin(() => {
  if (process.env.WORKFLOW_TARGET_WORLD === 'local') return;
  void Promise.resolve(getWorld().start?.()).catch((error: unknown) => {
    console.error('The World did not start', error);
    process.exit(1);
  });
});
