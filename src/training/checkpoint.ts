import * as z from "zod/mini";
import type { LoaderState } from "../data/loader.ts";
import type { SafeTensor, Safetensors } from "../io/safetensors.ts";
import type { DType } from "../tensor/dtype.ts";
import type { NdArray } from "../tensor/ndarray.ts";
import { check, wholeNumber } from "./rules.ts";
import { runConfig } from "./run-config.ts";
import type { RunConfig } from "./run-config.ts";
import type { State } from "./state.ts";

/** Everything that a run goes on from, taken between two steps. Its randomness follows from the seed and the step. */
export interface Checkpoint {
  /** Optimizer steps done. */
  readonly step: number;
  readonly config: RunConfig;
  /** Of a GaussianDiffusion. */
  readonly betas: Float64Array<ArrayBuffer> | undefined;
  /** Where the next batch starts. */
  readonly position: LoaderState;
  readonly model: State;
  /** Averages of the parameters, where the run keeps them. */
  readonly ema: State | undefined;
  readonly optimizer: State;
}

/** Keys of a file's metadata: what the file is, as JSON, and the {@link fingerprint} of all that is in it. */
const HEADER_KEY = "unnoise";
const FINGERPRINT_KEY = "sha256";
const BETAS = "diffusion.betas";
const EMA_PREFIX = "ema.";
const OPTIMIZER_PREFIX = "optimizer.";

const header = z.strictObject({
  format: z.literal(1),
  step: wholeNumber(0),
  position: z.strictObject({ epoch: wholeNumber(0), position: wholeNumber(0), length: wholeNumber(1) }),
  config: runConfig,
});

/**
 * A checkpoint as the content of a safetensors file. The model's parameters have their plain names, so that PyTorch
 * loads them into the same U-Net once the others are left out: `ema.*`, `optimizer.*` and `diffusion.betas`.
 */
export async function encodeCheckpoint(checkpoint: Checkpoint): Promise<Safetensors> {
  const { step, config, betas, position, model, ema, optimizer } = checkpoint;
  const tensors = new Map<string, SafeTensor>([
    ...withPrefix("", model),
    ...withPrefix(EMA_PREFIX, ema ?? new Map()),
    ...withPrefix(OPTIMIZER_PREFIX, optimizer),
  ]);
  if (betas) tensors.set(BETAS, { dtype: "F64", shape: [betas.length], data: betas });
  const content: z.infer<typeof header> = { format: 1, step, position, config };
  const text = JSON.stringify(content);
  return { tensors, metadata: { [HEADER_KEY]: text, [FINGERPRINT_KEY]: await fingerprint(text, tensors) } };
}

/**
 * Reads what {@link encodeCheckpoint} wrote.
 *
 * @param source name of the file for messages
 * @throws Error of one line if the file is something else or was changed
 */
export async function decodeCheckpoint({ tensors, metadata }: Safetensors, source: string): Promise<Checkpoint> {
  const text = metadata[HEADER_KEY];
  if (text === undefined) throw new Error(`${source}: not a checkpoint of unnoise, but another safetensors file`);
  if (metadata[FINGERPRINT_KEY] !== (await fingerprint(text, tensors))) {
    throw new Error(`${source}: damaged checkpoint: its checksum does not fit its content`);
  }
  const { step, position, config } = check(
    header,
    parseJson(text, source),
    `${source}: not a checkpoint that this version reads`,
  );
  const tensor = tensors.get(BETAS);
  const betas = tensor?.dtype === "F64" ? tensor.data.slice() : undefined;
  if (!betas && config.diffusion.kind === "gaussian") {
    throw new Error(`${source}: damaged checkpoint: no F64 ${BETAS}`);
  }
  const model = new Map<string, NdArray>();
  const ema = new Map<string, NdArray>();
  const optimizer = new Map<string, NdArray>();
  for (const [name, tensor] of tensors) {
    if (name === BETAS) continue;
    const value = fromSafeTensor(tensor, `${source}: tensor ${name}`);
    if (name.startsWith(EMA_PREFIX)) ema.set(name.slice(EMA_PREFIX.length), value);
    else if (name.startsWith(OPTIMIZER_PREFIX)) optimizer.set(name.slice(OPTIMIZER_PREFIX.length), value);
    else model.set(name, value);
  }
  const keepsEma = config.training.emaDecay > 0;
  return { step, config, betas, position, model, ema: keepsEma ? ema : undefined, optimizer };
}

const safeDtypes = { f32: "F32", i32: "I32", u32: "U32", bool: "I32" } as const;

function withPrefix(prefix: string, state: State): [string, SafeTensor][] {
  return [...state].map(([name, { shape, dtype, data }]) => [
    prefix + name,
    { dtype: safeDtypes[dtype], shape, data } as SafeTensor,
  ]);
}

function fromSafeTensor({ dtype, shape, data }: SafeTensor, label: string): NdArray {
  const dtypes: Readonly<Record<string, DType>> = { F32: "f32", I32: "i32", U32: "u32" };
  const own = dtypes[dtype];
  if (own === undefined) throw new Error(`${label}: must be F32, I32 or U32, got ${dtype}`);
  return { shape, dtype: own, data: data.slice() as NdArray["data"] };
}

function parseJson(text: string, source: string): unknown {
  try {
    return JSON.parse(text);
  } catch (error) {
    throw new Error(`${source}: damaged checkpoint: its metadata is no JSON`, { cause: error });
  }
}

/** SHA-256 of the header and of the names, shapes and SHA-256s of all tensors, in the order of the names. */
async function fingerprint(header: string, tensors: ReadonlyMap<string, SafeTensor>): Promise<string> {
  const lines = [header];
  for (const name of [...tensors.keys()].toSorted()) {
    const tensor = tensors.get(name);
    if (tensor === undefined) continue;
    const { shape, data } = tensor;
    const bytes = new Uint8Array(data.buffer, data.byteOffset, data.byteLength);
    lines.push(`${name} [${shape.join(",")}] ${hex(await crypto.subtle.digest("SHA-256", bytes))}`);
  }
  return hex(await crypto.subtle.digest("SHA-256", new TextEncoder().encode(lines.join("\n"))));
}

function hex(digest: ArrayBuffer): string {
  return Array.from(new Uint8Array(digest), (byte) => byte.toString(16).padStart(2, "0")).join("");
}
