import { Unet, summary } from "unnoise";
import type { LayerSummary } from "unnoise";

export type BlockKind = "convolution" | "residual" | "attention" | "size" | "time";

/** A block of a U-Net: a box of the map. */
export interface UnetBlock {
  /** As in checkpoints: "downs.0.2". */
  readonly name: string;
  readonly kind: BlockKind;
  /** What it gives for one image: [height, width, channels], or [channels] of the time's embedding. */
  readonly shape: readonly number[];
  readonly parameters: number;
  /** Multiplications and additions for one image. */
  readonly flops: number;
  readonly layers: readonly LayerSummary[];
}

/** A floor of the U: one size of pictures, on the way down and on the way up. */
export interface Level {
  readonly side: number;
  readonly down: readonly UnetBlock[];
  readonly up: readonly UnetBlock[];
}

export interface UnetMap {
  readonly time: UnetBlock;
  readonly first: UnetBlock;
  readonly levels: readonly Level[];
  readonly middle: readonly UnetBlock[];
  readonly last: readonly UnetBlock[];
  readonly parameters: number;
  readonly flops: number;
}

/** The network of the text, with two million parameters. */
export function articleUnet(): Unet {
  return new Unet({ dim: 28, channels: 1, dimMults: [1, 2, 4], seed: 0 });
}

/** The blocks of a U-Net in their places, with what `summary` says of them. Nothing is computed. */
export function mapOf(unet: Unet, side: number): UnetMap {
  const { layers, parameters, flops } = summary(unet, side);
  const names = [...new Set(layers.map(({ name }) => blockName(name)))];
  const blocks = new Map<string, UnetBlock>();
  for (const [i, name] of names.entries()) {
    const before = blocks.get(names[i - 1] ?? "");
    blocks.set(name, blockOf(name, layers, before?.kind === "time" ? side : (before?.shape[0] ?? side)));
  }
  const under = (start: string): UnetBlock[] =>
    [...blocks.values()].filter(({ name }) => name === start || name.startsWith(`${start}.`));
  const floors = new Set(names.flatMap((name) => /^downs\.(\d+)/.exec(name)?.[1] ?? [])).size;
  const only = (name: string): UnetBlock => {
    const block = blocks.get(name);
    if (block === undefined) throw new Error(`map: the network must have a ${name}, it has ${names.join(", ")}`);
    return block;
  };
  return {
    time: only("time_mlp"),
    first: only("init_conv"),
    levels: Array.from({ length: floors }, (_, floor): Level => {
      const down = under(`downs.${floor}`);
      return { side: down[0].shape[0], down, up: under(`ups.${floors - 1 - floor}`) };
    }),
    middle: names.filter((name) => name.startsWith("mid_")).map(only),
    last: names.filter((name) => name.startsWith("final_")).map(only),
    parameters,
    flops,
  };
}

/** All blocks of a map in the order in which a picture meets them, the time's first. */
export function blocksOf({ time, first, levels, middle, last }: UnetMap): readonly UnetBlock[] {
  const [down, up] = [levels.flatMap((level) => level.down), levels.toReversed().flatMap((level) => level.up)];
  return [time, first, ...down, ...middle, ...up, ...last];
}

/** The block that a layer belongs to: "downs.0.1" of "downs.0.1.block1.proj". */
function blockName(layer: string): string {
  return /^(?:downs|ups)\.\d+\.\d+|^[^.]+/.exec(layer)?.[0] ?? layer;
}

function blockOf(name: string, all: readonly LayerSummary[], sideBefore: number): UnetBlock {
  const layers = all.filter((layer) => blockName(layer.name) === name);
  const total = (of: (layer: LayerSummary) => number): number => layers.reduce((sum, layer) => sum + of(layer), 0);
  // The time comes in before the pictures do, so the last layer is one of pictures.
  const [, ...shape] = layers[layers.length - 1].outputShape;
  const kind = kindOf(name, shape[0] !== sideBefore);
  return { name, kind, shape, parameters: total((l) => l.parameters), flops: total((l) => l.flops), layers };
}

/** By its name, since the names of classes do not survive a bundler. */
function kindOf(name: string, changesSize: boolean): BlockKind {
  if (name === "time_mlp") return "time";
  if (/^(?:downs|ups)\.\d+\.[01]$|block/.test(name)) return "residual";
  if (/^(?:downs|ups)\.\d+\.2$|attn/.test(name)) return "attention";
  return changesSize ? "size" : "convolution";
}
