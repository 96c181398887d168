const withWorkflow = (config) => ({ ...config, env: { WORKFLOW: "1" } });

export default withWorkflow({});
