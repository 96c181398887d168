// Runs when the server starts, dev and production.
import { assertRemoteReroute } from 'workflow-studio';

export default function workflowStudioPlugin() {
  assertRemoteReroute();
}
