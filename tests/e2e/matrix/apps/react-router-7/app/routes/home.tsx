import type { Route } from './+types/home';

export function meta({}: Route.MetaArgs) {
  return [{ title: 'Tours' }];
}

export default function Home() {
  return <h1>Tours</h1>;
}
