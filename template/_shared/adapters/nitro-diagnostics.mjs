// GET /api/workflow-studio/diagnostics/remote-ownership
import { createOwnershipDiagnosticsHandler } from './index.cjs';

const handle = createOwnershipDiagnosticsHandler();

/** @param {any} event */
export default function diagnostics(event) {
  return handle(event.req);
}
