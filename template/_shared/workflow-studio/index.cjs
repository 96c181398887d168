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
const { toNodeHandler } = require('./lib/node-handler.cjs');
const { WorkflowStudioRequestError } = require('./lib/request-error.cjs');
const { toWebRequest } = require('./lib/request.cjs');
const { sendWebResponse } = require('./lib/response.cjs');
const { proxyTrigger } = require('./lib/trigger.cjs');
const { proxyWebhook } = require('./lib/webhook.cjs');

module.exports = {
  WORLD_REMOTE,
  WorkflowStudioConfigError,
  WorkflowStudioRequestError,
  assertRemoteReroute,
  createOwnershipDiagnosticsHandler,
  defineWorkflowStudioConfig,
  getServerEnvDefaults,
  loadWorkflowStudioConfig,
  normalizeBaseUrl,
  proxyTrigger,
  proxyWebhook,
  resolveWorkflowStudioAdapterConfig,
  sendWebResponse,
  shouldExecuteRemotely,
  toNodeHandler,
  toWebRequest,
};
