/*
 * Source maps that lead to the files that people wrote.
 *
 * The Workflow SDK transforms a file with SWC and has esbuild bundle what came out. It asks SWC for no source map, so
 * those of its bundles lead to SWC's output: to other lines than the user's, or to lines that are not there (source:
 * @workflow/builders 4.2.5, apply-swc-transform.js). esbuild follows the map of what it bundles where there is one.
 */

const OF_A_PACKAGE = /(^|[\\/])node_modules[\\/]/;

/**
 * Return SWC with source maps for the files of the app.
 *
 * @param {any} swc The package `@swc/core`.
 * @returns {any}
 */
export function withSourceMaps(swc) {
  return {
    ...swc,
    /**
     * @param {string} source
     * @param {{ filename?: string }} options
     */
    transform(source, options) {
      const file = options?.filename;
      if (!file || OF_A_PACKAGE.test(file)) {
        return swc.transform(source, options);
      }
      // esbuild takes the name as relative to the file's folder.
      const sourceFileName = file.split(/[\\/]/).at(-1);
      return swc.transform(source, {
        ...options,
        sourceMaps: 'inline',
        sourceFileName,
      });
    },
  };
}

/**
 * Return esbuild with source maps that do not quote what they lead to. That is most of a bundle, nothing reads it, and
 * with it the bundle of the workflows would change whenever a step beside them does.
 *
 * @param {any} esbuild The package `esbuild`.
 * @returns {any}
 */
export function withoutSources(esbuild) {
  /** @param {any} options */
  const changed = (options) =>
    options?.sourcemap ? { ...options, sourcesContent: false } : options;
  return {
    ...esbuild,
    /** @param {any} options */
    build: (options) => esbuild.build(changed(options)),
    /** @param {any} options */
    context: (options) => esbuild.context(changed(options)),
  };
}
