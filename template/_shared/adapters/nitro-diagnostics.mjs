// GET /api/workflow-studio/diagnostics/remote-ownership
import { createOwnershipDiagnosticsHandler } from 'workflow-studio';

const handle = createOwnershipDiagnosticsHandler();

/** @param {any} event */
export default function diagnostics(event) {
  return handle(event.req);
}
