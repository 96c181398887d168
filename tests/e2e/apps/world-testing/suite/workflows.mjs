// Take the suite's workflows out of the installed package, so that this app's SDK can build them.
//
// The package has no sources, but its two bundles have source maps that quote each workflow file as the SDK's compiler
// left it: the one for the steps has the steps and empty workflows, the other has the workflows and no steps. What the
// compiler took away is put back: a file is its steps, its workflows, their directives, and the imports of both.
import { mkdirSync, readFileSync, writeFileSync } from 'node:fs';
import { basename } from 'node:path';
import { parse } from 'acorn';

const BUNDLES = new URL(
  '../node_modules/@workflow/world-testing/dist/.well-known/workflow/v1/',
  import.meta.url,
);
const WORKFLOWS = new URL('../workflows/', import.meta.url);
const INLINE_MAP =
  /sourceMappingURL=data:application\/json;base64,([A-Za-z0-9+/=]+)/g;
const WORKFLOW_FILE = /^(?:\.\.\/)*workflows\/[\w-]+\.ts$/;

/**
 * @param {string} bundle
 * @returns {Map<string, string>} the quoted workflow files by their names
 */
function quoted(bundle) {
  const code = readFileSync(new URL(bundle, BUNDLES), 'utf8');
  const files = new Map();
  for (const [, data] of code.matchAll(INLINE_MAP)) {
    const map = JSON.parse(Buffer.from(data, 'base64').toString());
    map.sources.forEach(
      (/** @type {string} */ source, /** @type {number} */ at) => {
        if (WORKFLOW_FILE.test(source)) {
          files.set(basename(source), map.sourcesContent[at]);
        }
      },
    );
  }
  return files;
}

/**
 * @typedef {{ name: string, text: string, body: number }} Declared a function, and where its body begins in the text
 * @typedef {{ text: string, node: any }} Statement
 */

/** @param {string} code @returns {Statement[]} */
function statements(code) {
  const { body } = parse(code, { ecmaVersion: 'latest', sourceType: 'module' });
  return body.map((node) => ({ text: code.slice(node.start, node.end), node }));
}

/** @param {Statement} statement @returns {Declared | undefined} */
function declaredFunction({ node, text }) {
  const declared = node.declaration ?? node;
  if (declared.type !== 'FunctionDeclaration') return undefined;
  return {
    name: declared.id.name,
    text,
    body: declared.body.start + 1 - node.start,
  };
}

/** @param {Declared} declared @param {'use step' | 'use workflow'} directive */
function directed({ text, body }, directive) {
  return `${text.slice(0, body)}\n  '${directive}';${text.slice(body)}`;
}

/** @param {Statement[]} all @returns {string} each imported name once */
function imports(all) {
  const lines = new Set();
  for (const { node } of all) {
    if (node.type !== 'ImportDeclaration') continue;
    const from = JSON.stringify(node.source.value);
    for (const { type, local, imported } of node.specifiers) {
      lines.add(
        type === 'ImportNamespaceSpecifier'
          ? `import * as ${local.name} from ${from};`
          : `import { ${imported.name} as ${local.name} } from ${from};`,
      );
    }
  }
  return [...lines].join('\n');
}

/** @param {string} stepCode @param {string} workflowCode */
function restored(stepCode, workflowCode) {
  const inSteps = statements(stepCode);
  const inWorkflows = statements(workflowCode);
  const ids = /"step\/\/[^"]*\/\/(\w+)"|"workflow\/\/[^"]*\/\/(\w+)"/g;
  const steps = new Set();
  const workflows = new Set();
  for (const [, step, workflow] of stepCode.matchAll(ids)) {
    if (step) steps.add(step);
    else workflows.add(workflow);
  }
  const bodies = new Map(
    inWorkflows.flatMap((statement) => {
      const found = declaredFunction(statement);
      return found ? [[found.name, found]] : [];
    }),
  );
  const kept = inSteps.map((statement) => {
    const declared = declaredFunction(statement);
    if (declared && steps.has(declared.name)) {
      return directed(declared, 'use step');
    }
    const workflow = declared && bodies.get(declared.name);
    if (workflow && workflows.has(workflow.name)) {
      return directed(workflow, 'use workflow');
    }
    // Expressions are the compiler's: they register steps and name workflows.
    const ours = /^(Import|Expression|Empty)/.test(statement.node.type);
    return ours ? '' : statement.text;
  });
  const code = [imports([...inSteps, ...inWorkflows]), ...kept];
  return `${code.filter(Boolean).join('\n\n')}\n`;
}

const steps = quoted('step.mjs');
const workflows = quoted('flow.mjs');
mkdirSync(WORKFLOWS, { recursive: true });
for (const [name, workflowCode] of workflows) {
  const stepCode = steps.get(name);
  if (!stepCode) throw new Error(`The bundle of the steps has no ${name}.`);
  writeFileSync(new URL(name, WORKFLOWS), restored(stepCode, workflowCode));
}
