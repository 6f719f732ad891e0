import { toFloat32 } from "../../io/safetensors/safetensors.ts";
import type { SafeTensor } from "../../io/safetensors/safetensors.ts";
import type { NdArray } from "../../tensor/ndarray.ts";
import type { TypedArray } from "../../tensor/dtype.ts";
import { formatShape, sameShape, sizeOf } from "../../tensor/shape.ts";
import type { Variable } from "../../tensor/variable.ts";

/** Values by name: those of `stateDict`, or the tensors of a safetensors file, with or without its metadata. */
export type StateDict =
  | ReadonlyMap<string, NdArray | SafeTensor>
  | { readonly tensors: ReadonlyMap<string, NdArray | SafeTensor> };

/** A value as parameters take it; of another dtype than theirs where it is no float. */
interface Value {
  readonly shape: readonly number[];
  readonly dtype: string;
  readonly length: number;
  /** One tensor after the other becomes what a variable stores. */
  writeTo(variable: Variable): Promise<void>;
}

/** Values by name, floats of every width as f32. */
export function valuesOf(state: StateDict): ReadonlyMap<string, Value> {
  const given: unknown = state instanceof Map ? state : (state as { readonly tensors?: unknown } | undefined)?.tensors;
  if (!(given instanceof Map))
    throw new Error("loadStateDict: must be a Map of tensors by name, or have one as tensors");
  const tensors = given as ReadonlyMap<string, NdArray | SafeTensor>;
  return new Map([...tensors].map(([name, tensor]) => [name, valueOf(tensor)]));
}

function valueOf(tensor: NdArray | SafeTensor): Value {
  const { shape, data } = tensor;
  const float = { shape, dtype: "f32", length: data.length };
  switch (tensor.dtype) {
    case "F32":
    case "F64":
      return { ...float, writeTo: (variable) => variable.write(toFloat32(tensor)) };
    case "F16":
      return { ...float, writeTo: (variable) => variable.writeHalves("f16", tensor.data) };
    case "BF16":
      return { ...float, writeTo: (variable) => variable.writeHalves("bf16", tensor.data) };
    default:
      return {
        ...float,
        dtype: tensor.dtype,
        writeTo: (variable) => variable.write(data as TypedArray),
      };
  }
}

/** What keeps values from being those of parameters, one phrase for each kind of fault. */
export function compareState(parameters: ReadonlyMap<string, Variable>, state: ReadonlyMap<string, Value>): string[] {
  const missing = [...parameters.keys()].filter((name) => !state.has(name));
  const unexpected = [...state.keys()].filter((name) => !parameters.has(name));
  const prefix = sharedPrefix([...state.keys()], parameters);
  if (prefix !== undefined)
    return [`all names begin with ${prefix} which those of the parameters do not: take it away`];
  const illShaped = [...parameters].flatMap(([name, { shape, dtype, size }]) => {
    const value = state.get(name);
    if (!value || (sameShape(shape, value.shape) && dtype === value.dtype && size === value.length)) return [];
    const got = `${value.dtype} ${formatShape(value.shape)}`;
    const count = sizeOf(value.shape) === value.length ? "" : ` of ${value.length} values`;
    return [`${name} must be ${dtype} ${formatShape(shape)}, got ${got}${count}`];
  });
  const lists = [
    missing.length > 0 ? `missing ${missing.join(", ")}` : "",
    unexpected.length > 0 ? `unexpected ${unexpected.join(", ")}` : "",
    illShaped.join("; "),
  ];
  return lists.filter((list) => list !== "");
}

/** What all names begin with, up to a dot, if parameters have the rest for their names: `module.`, `ema_model.` */
function sharedPrefix(names: readonly string[], parameters: ReadonlyMap<string, unknown>): string | undefined {
  const [first = ""] = names;
  for (let dot = first.indexOf("."); dot !== -1; dot = first.indexOf(".", dot + 1)) {
    const prefix = first.slice(0, dot + 1);
    if (!names.every((name) => name.startsWith(prefix))) return undefined;
    if (names.every((name) => parameters.has(name.slice(prefix.length)))) return prefix;
  }
  return undefined;
}
