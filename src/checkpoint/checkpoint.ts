import * as z from "zod/mini";
import type { LoaderState } from "../data/loader.ts";
import { encodeFloat16 } from "../tensor/float16.ts";
import { safeTensorOf, toFloat32 } from "../io/safetensors/safetensors.ts";
import type { SafeTensor, Safetensors } from "../io/safetensors/safetensors.ts";
import { sha256 } from "../io/sha256.ts";
import type { DType } from "../tensor/dtype.ts";
import type { NdArray } from "../tensor/ndarray.ts";
import { check, wholeNumber } from "../config/rules.ts";
import { runConfig } from "./run-config.ts";
import type { RunConfig } from "./run-config.ts";
import type { State } from "../optim/state.ts";

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
  /** Empty where only the weights were kept. */
  readonly optimizer: State;
}

/**
 * A checkpoint to sample from and not to train on: the weights alone, a quarter of the numbers.
 *
 * @param options.ema the averages of the parameters, if there are any; default true
 */
export function weightsOnly(checkpoint: Checkpoint, options: { readonly ema?: boolean | undefined } = {}): Checkpoint {
  const { model, ema } = checkpoint;
  return { ...checkpoint, model: (options.ema ?? true) ? (ema ?? model) : model, ema: undefined, optimizer: new Map() };
}

/** Keys of a file's metadata: what the file is, as JSON, and the {@link fingerprint} of all that is in it. */
const HEADER_KEY = "unnoise";
const FINGERPRINT_KEY = "sha256";
/** Which dtype the parameters were written in. A file of another one was saved again, and its fingerprint is void. */
const DTYPE_KEY = "dtype";
const BETAS = "diffusion.betas";
const EMA_PREFIX = "ema.";
const OPTIMIZER_PREFIX = "optimizer.";
const LARGEST_HALF = 65_504;

const header = z.strictObject({
  format: z.literal(1),
  step: wholeNumber(0),
  position: z.strictObject({ epoch: wholeNumber(0), position: wholeNumber(0), length: wholeNumber(1) }),
  config: runConfig,
});

/**
 * A checkpoint as the content of a safetensors file. The model's parameters have their plain names, so that PyTorch
 * loads them into the same U-Net once the others are left out: `ema.*`, `optimizer.*` and `diffusion.betas`.
 *
 * @param options.half writes the parameters as F16, rounded to nearest; default false
 * @throws Error naming the first parameter that F16 cannot hold
 */
export async function encodeCheckpoint(
  checkpoint: Checkpoint,
  options: { readonly half?: boolean } = {},
): Promise<Safetensors> {
  const { step, config, betas, position, model, ema, optimizer } = checkpoint;
  const parameters = withPrefix("", model);
  const tensors = new Map<string, SafeTensor>([
    ...(options.half === true ? parameters.map(halved) : parameters),
    ...withPrefix(EMA_PREFIX, ema ?? new Map()),
    ...withPrefix(OPTIMIZER_PREFIX, optimizer),
  ]);
  if (betas) tensors.set(BETAS, { dtype: "F64", shape: [betas.length], data: betas });
  const content: z.infer<typeof header> = { format: 1, step, position, config };
  const text = JSON.stringify(content);
  return {
    tensors,
    metadata: {
      [HEADER_KEY]: text,
      [FINGERPRINT_KEY]: await fingerprint(text, tensors),
      [DTYPE_KEY]: options.half === true ? "F16" : "F32",
    },
  };
}

/**
 * Reads what {@link encodeCheckpoint} wrote, or what other software saved of it in another precision, such as bfloat16.
 *
 * @param source name of the file for messages
 * @throws Error of one line if the file is something else or was changed
 */
export async function decodeCheckpoint({ tensors, metadata }: Safetensors, source: string): Promise<Checkpoint> {
  const text = metadata[HEADER_KEY];
  if (text === undefined) {
    throw new Error(
      `${source}: not a checkpoint of unnoise, but another safetensors file: \`unnoise import\` makes a checkpoint of weights`,
    );
  }
  const content = parseJson(text, source);
  if (isClassifier(content)) {
    throw new Error(`${source}: a classifier whose features evaluate compares, not a checkpoint of a model`);
  }
  if (!isConverted(tensors, metadata[DTYPE_KEY]) && metadata[FINGERPRINT_KEY] !== (await fingerprint(text, tensors))) {
    throw new Error(`${source}: damaged checkpoint: its checksum does not fit its content`);
  }
  const { step, position, config } = check(header, content, `${source}: not a checkpoint that this version reads`);
  const tensor = tensors.get(BETAS);
  const betas = tensor && readBetas(tensor, `${source}: tensor ${BETAS}`);
  if (!betas && config.diffusion.kind === "gaussian") {
    throw new Error(`${source}: damaged checkpoint: no ${BETAS}`);
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
  return { step, config, betas, position, model, ema: ema.size > 0 ? ema : undefined, optimizer };
}

function withPrefix(prefix: string, state: State): [string, SafeTensor][] {
  return [...state].map(([name, value]) => [prefix + name, safeTensorOf(value)]);
}

function halved([name, tensor]: [string, SafeTensor]): [string, SafeTensor] {
  if (tensor.dtype !== "F32") return [name, tensor];
  const beyond = tensor.data.find((value) => !(Math.abs(value) <= LARGEST_HALF));
  if (beyond !== undefined) throw new Error(`${name}: F16 holds numbers up to ${LARGEST_HALF}, got ${beyond}`);
  return [name, { dtype: "F16", shape: tensor.shape, data: encodeFloat16(tensor.data) }];
}

function fromSafeTensor(tensor: SafeTensor, label: string): NdArray {
  const { dtype, shape, data } = tensor;
  if (isFloat(tensor) && dtype !== "F32") return { shape, dtype: "f32", data: toFloat32(tensor) };
  const dtypes: Readonly<Record<string, DType>> = { F32: "f32", I32: "i32", U32: "u32" };
  const own = dtypes[dtype];
  if (own === undefined) throw new Error(`${label}: must be F32, F16, BF16, F64, I32 or U32, got ${dtype}`);
  return { shape, dtype: own, data: data.slice() as NdArray["data"] };
}

/** Whether a file's header is that of an ImageClassifier. */
function isClassifier(content: unknown): boolean {
  return typeof content === "object" && content !== null && "kind" in content && content.kind === "classifier";
}

function isFloat({ dtype }: SafeTensor): boolean {
  return ["F16", "BF16", "F32", "F64"].includes(dtype);
}

/**
 * Whether other software changed the precision of the parameters. We write F16 or F32, and files of the time before we
 * said which one are taken to be as they were.
 */
function isConverted(tensors: ReadonlyMap<string, SafeTensor>, written: string | undefined): boolean {
  const own = written === undefined ? ["F16", "F32"] : [written];
  return [...tensors].some(([name, tensor]) => {
    const isParameter = name !== BETAS && !name.startsWith(EMA_PREFIX) && !name.startsWith(OPTIMIZER_PREFIX);
    return isParameter && isFloat(tensor) && !own.includes(tensor.dtype);
  });
}

/** Half precision rounds betas near 1 to 1, which no schedule has; then the largest that the article allows. */
function readBetas(tensor: SafeTensor, label: string): Float64Array<ArrayBuffer> {
  if (tensor.dtype === "F64") return tensor.data.slice();
  if (!isFloat(tensor)) throw new Error(`${label}: must be F64, got ${tensor.dtype}`);
  return Float64Array.from(toFloat32(tensor), (beta) => (beta === 1 ? 0.9999 : beta));
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
    lines.push(`${name} [${shape.join(",")}] ${await sha256(bytes)}`);
  }
  return sha256(new TextEncoder().encode(lines.join("\n")));
}
