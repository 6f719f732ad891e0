import { setFlagsFromString } from "node:v8";
import { runInNewContext } from "node:vm";

setFlagsFromString("--expose-gc");
const collect = runInNewContext("gc") as () => void;

/** Collects garbage until something holds, which finalizers bring about in turns of their own. */
export async function collectUntil(holds: () => boolean | Promise<boolean>, turns = 50): Promise<boolean> {
  for (let turn = 0; turn < turns; turn++) {
    collect();
    await new Promise((resolve) => setTimeout(resolve, 10));
    if (await holds()) return true;
  }
  return false;
}
