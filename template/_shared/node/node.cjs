// The adapter of servers that the others do not know: node:http, and whatever
// takes its requests and responses, or Web requests.
'use strict';

const { toWebRequest } = require('./lib/request.cjs');
const {
  answer,
  handleNodeRequest,
  requireLoader,
} = require('./lib/server.cjs');
const { proxyTrigger } = require('./lib/trigger.cjs');
const { proxyWebhook } = require('./lib/webhook.cjs');

/**
 * Puts the SDK's routes in front of a listener of node:http.
 *
 * @param {import('node:http').RequestListener} listener
 * @returns {import('node:http').RequestListener}
 */
function withWorkflowStudioNode(listener) {
  requireLoader();
  return (request, response) =>
    handleNodeRequest(request, response, (error) => {
      if (error === undefined) {
        listener(request, response);
        return;
      }
      console.error(error);
      response.statusCode = 500;
      response.end();
    });
}

module.exports = {
  answerWorkflowRequest: answer,
  convertNodeRequest: toWebRequest,
  handleWorkflowRequest: handleNodeRequest,
  proxyTriggerFromNode: proxyTrigger,
  proxyWebhookFromNode: proxyWebhook,
  withWorkflowStudioNode,
};
