import type { ServerInit } from '@sveltejs/kit';
import { assertRemoteReroute } from 'workflow-studio';

// Refuses to start when workflows should run on the worker but would run here.
export const init: ServerInit = () => assertRemoteReroute();
