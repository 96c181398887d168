// Refuses to start when workflows should run on the worker but would run here.
export async function register() {
  if (process.env.NEXT_RUNTIME === 'nodejs') {
    const { assertRemoteReroute } = await import('workflow-studio');
    assertRemoteReroute();
  }
}
