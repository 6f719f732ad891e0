import { quoteName } from "../../io/safetensors/header.ts";
import type { SafeDtype } from "../../io/safetensors/header.ts";
import { toFloat32 } from "../../io/safetensors/safetensors.ts";
import type { SafeTensor } from "../../io/safetensors/safetensors.ts";
import type { Module } from "../../nn/module/module.ts";
import { formatShape, sameShape } from "../../tensor/shape.ts";
import type { Variable } from "../../tensor/variable.ts";

/** What is known of a tensor of a file before it is read. */
export interface TensorInfo {
  readonly name: string;
  readonly dtype: SafeDtype;
  readonly shape: readonly number[];
}

/** Names of attention's projections before diffusers 0.15, and those of today. */
const attentionNames: Readonly<Record<string, string>> = {
  query: "to_q",
  key: "to_k",
  value: "to_v",
  proj_attn: "to_out.0",
};

const floats: readonly SafeDtype[] = ["F32", "F16", "BF16", "F64"];
/** Names that a message lists; a file of another network has hundreds. */
const MOST_LISTED = 8;

/** The parameters of a network, to be filled from files tensor by tensor. */
export class Parameters {
  readonly #variables: ReadonlyMap<string, Variable>;

  constructor(model: Module) {
    this.#variables = model.parameters();
  }

  /**
   * @param names of all tensors that there are
   * @throws Error of one line that lists what is missing and what is not expected
   */
  checkNames(names: Iterable<string>, source: string): void {
    const given = [...names];
    const meant = given.map((name) => this.#meantBy(name));
    const present = new Set(meant);
    const twice = given.filter((_, i) => meant[i] !== undefined && meant.indexOf(meant[i]) !== i);
    const missing = [...this.#variables.keys()].filter((name) => !present.has(name));
    const unexpected = given.filter((_, i) => meant[i] === undefined);
    const faults = Object.entries({ missing, unexpected, twice }).filter(([, names]) => names.length > 0);
    if (faults.length === 0) return;
    throw new Error(`${source}: ${faults.map(([what, names]) => `${what} ${listed(names)}`).join("; ")}`);
  }

  /** @throws Error of one line for the first tensor that is not as its parameter is */
  checkTensors(tensors: Iterable<TensorInfo>, source: string): void {
    for (const { name, dtype, shape } of tensors) {
      const own = this.#variableOf(name, source);
      if (!floats.includes(dtype)) {
        throw new Error(`${source}: tensor ${quoteName(name)} must be one of ${floats.join(", ")}, got ${dtype}`);
      }
      if (sameShape(own.shape, shape) || isPointwise(own.shape, shape)) continue;
      throw new Error(
        `${source}: tensor ${quoteName(name)} must be ${formatShape(own.shape)}, got ${formatShape(shape)}`,
      );
    }
  }

  /** Fills the parameter that a checked tensor is for. */
  async write(name: string, tensor: SafeTensor, source: string): Promise<void> {
    const variable = this.#variableOf(name, source);
    if (tensor.dtype === "F16") await variable.writeHalves("f16", tensor.data);
    else if (tensor.dtype === "BF16") await variable.writeHalves("bf16", tensor.data);
    else await variable.write(toFloat32(tensor));
  }

  #variableOf(name: string, source: string): Variable {
    const own = this.#variables.get(this.#meantBy(name) ?? "");
    if (own) return own;
    throw new Error(`${source}: tensor ${quoteName(name)} is not expected`);
  }

  /** The parameter that a tensor's name means, if there is one. */
  #meantBy(name: string): string | undefined {
    if (this.#variables.has(name)) return name;
    const [, layer, part, kind] = /^(.+)\.(query|key|value|proj_attn)\.(weight|bias)$/.exec(name) ?? [];
    if (layer === undefined) return undefined;
    const meant = `${layer}.${attentionNames[part]}.${kind}`;
    return this.#variables.has(meant) ? meant : undefined;
  }
}

/** Whether a file has a matrix [out, in] as the filter [out, in, 1, 1] of a convolution, as files from before diffusers have. */
function isPointwise(shape: readonly number[], given: readonly number[]): boolean {
  return shape.length === 2 && given.length === 4 && sameShape([...shape, 1, 1], given);
}

function listed(names: readonly string[]): string {
  const shown = names.slice(0, MOST_LISTED).map((name) => (/^[\w.]+$/.test(name) ? name : quoteName(name)));
  const more = names.length - shown.length;
  return `${shown.join(", ")}${more > 0 ? ` and ${more} more` : ""}`;
}
