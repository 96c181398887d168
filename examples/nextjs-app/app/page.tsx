export default function Page() {
  return (
    <main>
      <h1>Orders</h1>
      <p>
        POST an order to <code>/api/orders</code>, then GET{' '}
        <code>/api/orders/&lt;runId&gt;</code>.
      </p>
    </main>
  );
}
