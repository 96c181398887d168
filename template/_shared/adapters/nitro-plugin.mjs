// Runs when the server starts, dev and production.
import { assertRemoteReroute } from './index.cjs';

export default function workflowStudioPlugin() {
  assertRemoteReroute();
}
