import { Hono } from "hono";
import { books } from "./books";

const app = new Hono();
const routes = app.route("/books", books).get("/", (c) => c.text("up"));

export type AppType = typeof routes;
export default app;
