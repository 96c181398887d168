import type { Config } from "@react-router/dev/config";
import { getSlugs } from "./app/content";

export default {
    async prerender({ getStaticPaths }) {
        const slugs = await getSlugs();
        return [...getStaticPaths(), ...slugs.map((slug) => `/blog/${slug}`)];
    },
    ssr: true,
} satisfies Config;
