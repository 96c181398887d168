// What the plugin, the worker's process and the tests' processes tell each other.

/** The options of the plugin. */
export const OPTIONS = 'workflow-studio:options';
/** The variables that have workflows run on the worker. */
export const ENVIRONMENT = 'workflow-studio:environment';
