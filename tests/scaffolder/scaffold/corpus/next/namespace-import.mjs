import * as workflow from 'workflow/next';
export default workflow.withWorkflow({});
