/* What the compilers say, in one form. */

import { readFileSync } from 'node:fs';
import { relative, resolve } from 'node:path';

/**
 * @typedef {object} Problem
 * @property {string} message
 * @property {string | null} file Relative to the app.
 * @property {number | null} line Counted from 1.
 * @property {number | null} column Counted from 1.
 * @property {string | null} lineText
 */

const ESCAPES = /\x1b\[[0-9;]*m/g;
const SWC_PREFIX = 'SWC transform failed: ';
// SWC draws a frame around the code: `,-[file:3:7]`, with a box-drawing corner where it may.
const SWC_FRAME = /(?:,|\u256d)[-\u2500]+\[(.*):(\d+):(\d+)\]/;
const SWC_CODE = /^\s*(\d+) [|\u2502] /;
const SWC_MARKS = /^\s*[:\u00b7] +[\^\u2500\u252c|]/;

/**
 * @param {unknown} error What a build threw.
 * @param {string} appDir
 * @returns {Problem[]} At least one.
 */
export function problemsOf(error, appDir) {
  const { errors } = /** @type {{ errors?: any[] }} */ (error ?? {});
  if (!Array.isArray(errors) || errors.length === 0) {
    const message = error instanceof Error ? error.message : String(error);
    return [problem(clean(message), appDir, {})];
  }
  const seen = new Set();
  return errors
    .map(({ location, text }) =>
      text.startsWith(SWC_PREFIX)
        ? fromSwc(text.slice(SWC_PREFIX.length), location?.file, appDir)
        : problem(clean(text), appDir, fromEsbuild(location, appDir)),
    )
    .filter((found) => {
      const key = JSON.stringify(found);
      return !seen.has(key) && seen.add(key);
    });
}

/**
 * esbuild reads what SWC made of a file, so its lines are those of the file only by luck: the place is looked up by the
 * text that is there.
 *
 * @param {any} location Lines counted from 1, columns from 0.
 * @param {string} appDir
 * @returns {{ file?: string, line?: number, column?: number, lineText?: string }}
 */
function fromEsbuild(location, appDir) {
  if (!location?.file) {
    return {};
  }
  const { column, file, length, line, lineText } = location;
  const lines = linesOf(resolve(appDir, file));
  if (lines[line - 1] === lineText) {
    return { file, line, column: column + 1, lineText };
  }
  const quoted = /^(['"`])(.*)\1$/.exec(
    lineText.slice(column, column + length),
  );
  const texts = quoted
    ? [`'${quoted[2]}'`, `"${quoted[2]}"`, `\`${quoted[2]}\``]
    : [lineText.trim()];
  for (const [at, own] of lines.entries()) {
    const text = texts.find((wanted) => wanted !== '' && own.includes(wanted));
    if (text !== undefined) {
      return {
        file,
        line: at + 1,
        column: own.indexOf(text) + 1,
        lineText: own,
      };
    }
  }
  return { file };
}

/**
 * @param {string} text
 * @param {string | undefined} file
 * @param {string} appDir
 */
function fromSwc(text, file, appDir) {
  const lines = clean(text).split('\n');
  const message = (lines.find((line) => line.trim() !== '') ?? text).replace(
    /^\s*[x\u00d7]\s+/,
    '',
  );
  return problem(message.trim(), appDir, { file, ...positionIn(lines) });
}

/**
 * The mark below the code is exact; the frame's own position is that of a line's beginning at times.
 *
 * @param {string[]} lines
 * @returns {{ line?: number, column?: number }}
 */
function positionIn(lines) {
  for (const [at, line] of lines.entries()) {
    const code = SWC_CODE.exec(lines[at - 1] ?? '');
    const marks = SWC_MARKS.exec(line);
    if (code !== null && marks !== null) {
      return {
        line: Number(code[1]),
        column: marks[0].length - code[0].length,
      };
    }
  }
  const frame = lines.map((line) => SWC_FRAME.exec(line)).find(Boolean);
  return frame ? { line: Number(frame[2]), column: Number(frame[3]) } : {};
}

/**
 * @param {string} message
 * @param {string} appDir
 * @param {{ file?: string, line?: number, column?: number, lineText?: string }} at
 * @returns {Problem}
 */
function problem(message, appDir, { file, line, column, lineText }) {
  const path = file === undefined ? undefined : resolve(appDir, file);
  return {
    message,
    file: path === undefined ? null : relative(appDir, path),
    line: line ?? null,
    column: column ?? null,
    lineText:
      lineText ?? (path && line ? linesOf(path)[line - 1] : undefined) ?? null,
  };
}

/** @param {string} path */
function linesOf(path) {
  try {
    return readFileSync(path, 'utf8').split(/\r?\n/);
  } catch {
    return [];
  }
}

/** @param {string} text */
function clean(text) {
  return text.replace(ESCAPES, '').trim();
}
