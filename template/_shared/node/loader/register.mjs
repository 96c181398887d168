// node --import workflow-studio/register <entry of the app>
import { builtHandlers } from './handlers.mjs';
import { startLoader } from './start.mjs';

startLoader('production', builtHandlers);
