export default async function config(phase) {
  if (phase === "phase-production-build") {
    return { output: "standalone" };
  }
  return {};
}
