const withWorkflow = (config) => config;
module.exports = withWorkflow({});
