import * as unnoise from "unnoise";
import type { ChartOptions, GridOptions, NdArray, Picture } from "unnoise";
import { fetchFile, shippedModel, testGarments } from "../../kit/garments.ts";
import type { Output } from "./messages.ts";

const CLASSIFIER = new URL("../../../data/fashion-mnist-classifier/classifier.safetensors", import.meta.url);
const MODEL = "data/fashion-mnist-classes/model.safetensors";

/**
 * What `import ... from "unnoise"` gives to a cell: the library, and in the place of what writes files in Node, functions
 * that show the same below the cell. What reads files reads those that come with the site.
 */
export function pageLibrary(put: (output: Output) => void): Readonly<Record<string, unknown>> {
  const inPage = {
    async fashionMnist({ split = "train" }: { readonly split?: string | undefined } = {}) {
      if (split === "test") return testGarments();
      throw new Error(`fashionMnist: this page has the test images alone: ask for split "test", got "${split}"`);
    },
    async readCheckpoint(path: string) {
      if (path === MODEL) return shippedModel();
      throw new Error(`readCheckpoint: this page has ${MODEL} alone, got ${path}`);
    },
    async fashionMnistClassifier() {
      const source = "classifier.safetensors";
      return unnoise.decodeClassifier(unnoise.parseSafetensors(await fetchFile(CLASSIFIER), source), source);
    },
    async saveGrid(name: string, { data, shape }: NdArray, options: GridOptions = {}) {
      if (!(data instanceof Float32Array)) throw new Error(`${name}: a grid is made of f32 images`);
      // The page makes pixels larger by itself.
      const picture = unnoise.layoutGrid({ data: unnoise.toBytes(data), shape }, { ...options, scale: 1 });
      put({ kind: "picture", name, picture });
    },
    async savePicture(name: string, picture: Picture) {
      put({ kind: "picture", name, picture });
    },
    async saveChart(name: string, options: ChartOptions) {
      put({ kind: "chart", name, svg: unnoise.lineChart(options) });
    },
    async saveAnimation(name: string, frames: readonly Picture[], { delayMs = 100 }: { delayMs?: number } = {}) {
      if (frames.length === 0) throw new Error(`${name}: an animation needs at least one frame`);
      put({ kind: "animation", name, frames, delayMs });
    },
  };
  return new Proxy<Record<string, unknown>>(
    { ...unnoise, ...inPage },
    {
      get(target, name) {
        if (typeof name === "symbol" || name in target) return Reflect.get(target, name) as unknown;
        throw new Error(`unnoise has no ${name} in a page`);
      },
    },
  );
}
