// Put what `workflow build` of this app's SDK made where the suite's server looks for it, as the package's own build
// does. The server would otherwise hold the bundles, and with them the runtime, of the SDK the package was made with.
import { copyFileSync, readFileSync, writeFileSync } from 'node:fs';
import { fileURLToPath } from 'node:url';

const built = new URL('../.well-known/workflow/v1/', import.meta.url);
const suite = new URL(
  '../node_modules/@workflow/world-testing/dist/.well-known/workflow/v1/',
  import.meta.url,
);

/** @param {string} from @param {string} to */
function copy(from, to) {
  copyFileSync(
    fileURLToPath(new URL(from, built)),
    fileURLToPath(new URL(to, suite)),
  );
}

/** @param {URL} folder @returns {string[]} */
function workflowIds(folder) {
  const { workflows } = JSON.parse(
    readFileSync(new URL('manifest.json', folder), 'utf8'),
  );
  return Object.values(workflows)
    .flatMap((/** @type {Record<string, any>} */ names) => Object.values(names))
    .map(({ workflowId }) => workflowId);
}

const made = new Set(workflowIds(built));
const missing = workflowIds(suite).filter((id) => !made.has(id));
if (missing.length) throw new Error(`Not built: ${missing.join(', ')}`);
copy('manifest.json', 'manifest.json');
copy('flow.js', 'flow.cjs');
writeFileSync(
  new URL('flow.mjs', suite),
  "export { POST } from './flow.cjs';\n",
);
