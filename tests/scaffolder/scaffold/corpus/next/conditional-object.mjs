const isProd = process.env.NODE_ENV === "production";

export default {
  ...(isProd && { output: "export" }),
  images: { unoptimized: isProd },
};
