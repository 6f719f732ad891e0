import { mkdir, readdir, unlink } from "node:fs/promises";
import { basename, dirname, join } from "node:path";
import { writeFileAtomic } from "../../io/atomic.node.ts";
import { fileError } from "../../io/file-errors.node.ts";

/** Weights as diffusers names them, in one file or several. */
const WEIGHTS = /^diffusion_pytorch_model[.-].*(safetensors|bin)(\.index[\w.]*)?(\.json)?$/;

/**
 * Writes the files of a folder, the index last: what was interrupted is no pipeline. Weights of another form that lie where
 * new ones are written go, as readers would take them first.
 *
 * @throws Error of one line naming the file that cannot be written
 */
export async function savePretrained(folder: string, files: ReadonlyMap<string, Uint8Array>): Promise<void> {
  const isIndex = (path: string): boolean => path === "model_index.json";
  const paths = [...files.keys()].toSorted((a, b) => Number(isIndex(a)) - Number(isIndex(b)));
  for (const path of paths) {
    const target = join(folder, path);
    try {
      await mkdir(dirname(target), { recursive: true });
    } catch (error) {
      throw fileError(dirname(target), "write", error);
    }
    await writeFileAtomic(target, files.get(path) ?? new Uint8Array(0));
    if (WEIGHTS.test(basename(target))) await removeOthers(target);
  }
}

async function removeOthers(target: string): Promise<void> {
  const folder = dirname(target);
  const others = (await readdir(folder)).filter((name) => WEIGHTS.test(name) && name !== basename(target));
  for (const name of others) await unlink(join(folder, name));
}
