import workflow from 'workflow/nitro';
export default { modules: [workflow] };
