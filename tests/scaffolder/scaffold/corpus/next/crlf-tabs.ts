import type { NextConfig } from 'next';

const c: NextConfig = {
	reactStrictMode: true,
};

export default c;
