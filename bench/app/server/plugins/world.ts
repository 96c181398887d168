import { definePlugin } from 'nitro';
import { getWorld } from 'workflow/runtime';

/** Worlds that deliver messages in the app's process begin with it. */
export default definePlugin(() => {
  void Promise.resolve(getWorld().start?.()).catch((error: unknown) => {
    console.error('The World did not start', error);
    process.exit(1);
  });
});
