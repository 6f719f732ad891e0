import { fashionMnist } from "../../src/data/published/fashion-mnist.node.ts";
import type { Plugin } from "vite";
import { GARMENTS, SIDE, halved } from "./figures/common/garment-sizes.ts";

const PREFIX = "virtual:garments";
/** As Rollup marks modules that are no files. */
const RESOLVED = `\0${PREFIX}`;
const SERVED = "/@garments";

/**
 * Makes files of the test images for the page, and modules that export where they lie: `virtual:garments` has the first
 * garments, `virtual:garments/small/9` all of the class 9 at half the size. Bytes, one image after the other.
 */
export function garmentsPlugin(): Plugin {
  let isServing = false;
  return {
    name: "garments",
    configResolved({ command }) {
      isServing = command === "serve";
    },
    resolveId: (id) => (id.startsWith(PREFIX) ? `\0${id}` : undefined),
    async load(id) {
      if (!id.startsWith(RESOLVED)) return undefined;
      const path = id.slice(RESOLVED.length);
      if (isServing) return `export default ${JSON.stringify(SERVED + path)};`;
      const name = `garments${path.replaceAll("/", "-")}.bin`;
      const file = this.emitFile({ type: "asset", name, source: await garmentFile(path) });
      return `export default import.meta.ROLLUP_FILE_URL_${file};`;
    },
    configureServer({ middlewares }) {
      middlewares.use(SERVED, (request, response, next) => {
        const [path] = (request.originalUrl ?? "").slice(SERVED.length).split("?");
        garmentFile(path).then((bytes) => response.end(bytes), next);
      });
    },
  };
}

/** @param path "" or "/small/9" */
async function garmentFile(path: string): Promise<Uint8Array> {
  const dataset = await fashionMnist({ split: "test" });
  const label = /^\/small\/(\d)$/.exec(path)?.[1];
  if (path !== "" && label === undefined) throw new Error(`virtual:garments: there is no ${path}`);
  const all = Array.from({ length: label === undefined ? GARMENTS : dataset.length }, (_, i) => i);
  const wanted = label === undefined ? all : all.filter((i) => dataset.labels?.[i] === Number(label));
  const bytes = new Uint8Array(wanted.length * SIDE ** 2);
  await dataset.read(wanted, bytes);
  return label === undefined ? bytes : halved(bytes);
}
