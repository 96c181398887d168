import workflowStudio from 'workflow-studio';

import { handle } from '../../../handle.mjs';

export const config = { api: { externalResolver: true } };

export default workflowStudio.toNodeHandler(handle);
