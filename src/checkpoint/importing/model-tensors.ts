import type { SafeTensor } from "../../io/safetensors/safetensors.ts";

/** The weights of one network in a file, by the names that they have inside of it. */
export interface ModelTensors {
  /** What stands before each name in the file: "", "module.", "ema.ema_model.model." */
  readonly prefix: string;
  readonly tensors: ReadonlyMap<string, SafeTensor>;
}

/** The first layer of the U-Nets that are read; what stands before it stands before all names. */
const FIRST_LAYER = "init_conv.weight";

/**
 * Finds the network in the tensors of a file: alone, or as the model or its average in what a trainer keeps, whatever
 * wrappers have put before the names.
 *
 * @param ema the average, if there is one, instead of the model itself
 * @throws Error of one line if there is no such network
 */
export function modelTensors(all: ReadonlyMap<string, SafeTensor>, ema: boolean, source: string): ModelTensors {
  const prefixes = [...all.keys()]
    .filter((name) => name === FIRST_LAYER || name.endsWith(`.${FIRST_LAYER}`))
    .map((name) => name.slice(0, -FIRST_LAYER.length))
    .toSorted((a, b) => a.length - b.length);
  const averages = prefixes.filter(isAverage);
  const others = prefixes.filter((prefix) => !isAverage(prefix));
  const [prefix] = ema ? [...averages, ...others] : [...others, ...averages];
  if (prefix === undefined) {
    const [some] = all.keys();
    const but =
      some === undefined ? "it has no tensors" : `it has no ${FIRST_LAYER}, but ${all.size} tensors such as ${some}`;
    throw new Error(`${source}: not the weights of a U-Net that is read: ${but}`);
  }
  const inside = [...all].flatMap(([name, tensor]): [string, SafeTensor][] =>
    name.startsWith(prefix) ? [[name.slice(prefix.length), tensor]] : [],
  );
  // A network alone may have another one's buffers beside it, such as those of the diffusion that it is a part of.
  const tensors =
    prefix === ""
      ? inside.filter(([name]) => !prefixes.some((other) => other !== "" && name.startsWith(other)))
      : inside;
  return { prefix, tensors: new Map(tensors) };
}

/** A tensor of what the network is a part of, such as its diffusion: the nearest of that name. */
export function tensorBeside(
  all: ReadonlyMap<string, SafeTensor>,
  { prefix }: ModelTensors,
  name: string,
): SafeTensor | undefined {
  const parts = prefix.split(".").slice(0, -1);
  for (let length = parts.length; length >= 0; length--) {
    const outer = parts.slice(0, length).map((part) => `${part}.`);
    const found = all.get(outer.join("") + name);
    if (found !== undefined) return found;
  }
  return undefined;
}

/** Names of ema_pytorch and of denoising-diffusion-pytorch's Trainer: ema.online_model.* is the model that it averages. */
function isAverage(prefix: string): boolean {
  return /(^|\.)ema(_model)?\./.test(prefix) && !prefix.includes("online_model.");
}
