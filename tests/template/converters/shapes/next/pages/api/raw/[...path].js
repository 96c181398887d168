import workflowStudio from 'workflow-studio';

import { handle } from '../../../handle.mjs';

export const config = { api: { bodyParser: false, externalResolver: true } };

export default workflowStudio.toNodeHandler(handle);
