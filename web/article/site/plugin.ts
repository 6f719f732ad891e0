import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { normalizePath } from "vite";
import type { Plugin } from "vite";
import { ApiReference } from "./api.ts";
import { docs } from "./pages.ts";
import { Site } from "./site.ts";
import { SCRIPT } from "./template.ts";

const main = fileURLToPath(new URL("../main.ts", import.meta.url));
const root = normalizePath(docs);

/**
 * Makes pages of the Markdown files in docs/, and of the names that the package exports. To Vite each is an HTML file beside
 * its Markdown, so that the pictures of the text are found as they are on a Git host.
 */
export function articlePages(): Plugin {
  let site: Site | undefined;
  const pathOf = (id: string): string => id.slice(root.length + 1);
  return {
    name: "article-pages",
    enforce: "pre",
    async config(_, { command }) {
      if (command !== "build") return undefined;
      const opened = await Site.open();
      site = opened;
      return { build: { rolldownOptions: { input: opened.paths.map((path) => join(docs, path)) } } };
    },
    resolveId(source) {
      if (source === SCRIPT) return main;
      return source.startsWith(`${root}/`) && source.endsWith(".html") ? source : undefined;
    },
    load(id) {
      return id.startsWith(`${root}/`) && id.endsWith(".html") ? site?.render(pathOf(id)) : undefined;
    },
    configureServer(server) {
      const api = ApiReference.read();
      server.watcher.add(docs);
      server.watcher.on("change", (file) => {
        if (file.endsWith(".md")) server.ws.send({ type: "full-reload" });
      });
      server.middlewares.use((request, response, next) => {
        const { pathname } = new URL(request.url ?? "/", "http://localhost");
        const path = pathname.endsWith("/") ? `${pathname.slice(1)}index.html` : pathname.slice(1);
        const answer = async (): Promise<void> => {
          // Anew for each request, as the text is being written; the reference takes too long for that.
          const html = path.endsWith(".html") ? await (await Site.open(await api)).render(path) : undefined;
          if (html === undefined) return next();
          response.setHeader("Content-Type", "text/html; charset=utf-8");
          response.end(await server.transformIndexHtml(`/${path}`, html));
        };
        void answer().then(undefined, next);
      });
    },
  };
}
