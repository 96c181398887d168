// node --watch --import workflow-studio/dev <entry of the app>
import { freshHandlers } from './handlers.mjs';
import { startLoader } from './start.mjs';

process.setSourceMapsEnabled(true);
startLoader('development', freshHandlers);
