// Workflow Studio in this app: settings and diagnostics. The World is
// ./world-remote.cjs; the framework's adapter is in the file of its name.
'use strict';

const {
  WORLD_REMOTE,
  WorkflowStudioConfigError,
  defineWorkflowStudioConfig,
  getServerEnvDefaults,
  loadWorkflowStudioConfig,
  normalizeBaseUrl,
  resolveWorkflowStudioAdapterConfig,
  shouldExecuteRemotely,
} = require('./lib/config.cjs');
const {
  assertRemoteReroute,
  createOwnershipDiagnosticsHandler,
} = require('./lib/ownership.cjs');
const { proxyTrigger } = require('./lib/trigger.cjs');

module.exports = {
  WORLD_REMOTE,
  WorkflowStudioConfigError,
  assertRemoteReroute,
  createOwnershipDiagnosticsHandler,
  defineWorkflowStudioConfig,
  getServerEnvDefaults,
  loadWorkflowStudioConfig,
  normalizeBaseUrl,
  proxyTrigger,
  resolveWorkflowStudioAdapterConfig,
  shouldExecuteRemotely,
};
