module.exports = async () => {
  const { withWorkflow } = await import("workflow/next");
  return withWorkflow({});
};
