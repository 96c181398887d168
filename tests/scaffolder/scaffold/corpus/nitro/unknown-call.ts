export default build({});
