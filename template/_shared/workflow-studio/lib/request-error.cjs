// Why a request cannot be converted. The status is what its sender should get.
'use strict';

class WorkflowStudioRequestError extends Error {
  /**
   * @param {string} code
   * @param {number} status
   * @param {string} message
   * @param {string} [recovery]
   */
  constructor(code, status, message, recovery) {
    super(recovery ? `${message} ${recovery}` : message);
    this.name = 'WorkflowStudioRequestError';
    this.code = code;
    this.status = status;
    this.problem = message;
    this.recovery = recovery;
  }
}

module.exports = { WorkflowStudioRequestError };
