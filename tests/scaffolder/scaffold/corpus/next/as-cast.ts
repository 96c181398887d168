import { NextConfig } from "next";
const config = { a: true };
export default config as NextConfig;
