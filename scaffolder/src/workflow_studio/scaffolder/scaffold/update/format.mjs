// Formats texts with the Prettier of a project, as if they were files of it.
//
// Reads {package, root, files: [path, text][]} and writes the texts, in order. A text that Prettier ignores, does not
// know or cannot parse is written as it came.
import { createRequire } from 'node:module';
import { existsSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { text } from 'node:stream/consumers';
import { pathToFileURL } from 'node:url';

/** @type {{ package: string, root: string, files: [string, string][] }} */
const request = JSON.parse(await text(process.stdin));
const entry = createRequire(join(request.package, 'package.json')).resolve(
  request.package,
);
const loaded = await import(pathToFileURL(entry).href);
const prettier = loaded.default ?? loaded;

/**
 * The nearest file of a name, in the project or above it.
 * @param {string} name
 * @returns {string | undefined}
 */
function nearest(name) {
  for (let folder = request.root; ; folder = dirname(folder)) {
    if (existsSync(join(folder, name))) return join(folder, name);
    if (existsSync(join(folder, '.git')) || dirname(folder) === folder) return;
  }
}

const ignorePath = nearest('.prettierignore');

/**
 * @param {string} path
 * @param {string} content
 * @returns {Promise<string>}
 */
async function format(path, content) {
  const filepath = join(request.root, path);
  try {
    const { ignored, inferredParser } = await prettier.getFileInfo(filepath, {
      ignorePath,
    });
    if (ignored || !inferredParser) return content;
    const options = await prettier.resolveConfig(filepath, {
      editorconfig: true,
    });
    return await prettier.format(content, { ...options, filepath });
  } catch {
    return content;
  }
}

/** @type {string[]} */
const formatted = [];
for (const [path, content] of request.files) {
  formatted.push(await format(path, content));
}
process.stdout.write(JSON.stringify(formatted));
