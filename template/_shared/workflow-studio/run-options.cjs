// Gives the runs that `start()` of the Workflow SDK begins a concurrency key and
// a priority. A module of its own, since steps are bundled with what they use.
'use strict';

const { withRunOptions } = require('./lib/run-options.cjs');

module.exports = { withRunOptions };
