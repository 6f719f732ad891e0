import type { Plugin } from "vite";

/** As Rollup marks modules that are no files. */
const MARK = "\0";

/**
 * Modules that export the address of a file that is made while the site is built or served: `virtual:NAME` and
 * `virtual:NAME/path`.
 *
 * @param make gives the bytes for a path: "" or "/path"
 */
export function madeFiles(name: string, make: (path: string) => Promise<Uint8Array>): Plugin {
  const prefix = `virtual:${name}`;
  const served = `/@${name}`;
  let isServing = false;
  return {
    name,
    configResolved({ command }) {
      isServing = command === "serve";
    },
    resolveId: (id) => (id === prefix || id.startsWith(`${prefix}/`) ? MARK + id : undefined),
    async load(id) {
      if (!id.startsWith(MARK + prefix)) return undefined;
      const path = id.slice(MARK.length + prefix.length);
      if (isServing) return `export default ${JSON.stringify(served + path)};`;
      const fileName = `${name}${path.replaceAll("/", "-")}.bin`;
      const file = this.emitFile({ type: "asset", name: fileName, source: await make(path) });
      return `export default import.meta.ROLLUP_FILE_URL_${file};`;
    },
    configureServer({ middlewares }) {
      middlewares.use(served, (request, response, next) => {
        const [path] = (request.originalUrl ?? "").slice(served.length).split("?");
        make(path).then((bytes) => response.end(bytes), next);
      });
    },
  };
}
