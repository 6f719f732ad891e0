import type { Update } from "../tensor/graph.ts";
import type { NdArray } from "../tensor/ndarray.ts";
import { formatShape } from "../tensor/shape.ts";
import { Tensor } from "../tensor/tensor.ts";
import type { Backend, Executable } from "./backend.ts";

/** What a traced function returns: named results, and variables with their next values. */
export interface Traced<Name extends string> {
  readonly outputs: Readonly<Record<Name, Tensor>>;
  readonly updates?: readonly Update[];
}

export type Compiled<Name extends string> = {
  (...inputs: readonly NdArray[]): Promise<Record<Name, NdArray>>;
  /** Compiles for these inputs' shapes without running; resolves with the executable. */
  prepare(...inputs: readonly Pick<NdArray, "shape" | "dtype">[]): Promise<Executable>;
  /** Frees every program that was compiled. */
  dispose(): void;
};

interface Entry<Name extends string> {
  readonly names: readonly Name[];
  readonly executable: Executable;
}

/**
 * Traces a function of tensors once per combination of input shapes and dtypes and runs what it traced.
 *
 * @example
 * const double = compile(backend, (x) => ({ outputs: { y: x.multiply(2) } }));
 * const { y } = await double(ndarray([1, 2, 3], [3]));
 */
export function compile<Name extends string>(
  backend: Backend,
  fn: (...inputs: Tensor[]) => Traced<Name>,
): Compiled<Name> {
  const entries = new Map<string, Promise<Entry<Name>>>();

  const trace = async (inputs: readonly Pick<NdArray, "shape" | "dtype">[]): Promise<Entry<Name>> => {
    const leaves = inputs.map(({ shape, dtype }, index) => new Tensor({ kind: "input", index, shape, dtype }));
    const { outputs, updates = [] } = fn(...leaves);
    const names = Object.keys(outputs) as Name[];
    const executable = await backend.load({ inputs: leaves, outputs: names.map((name) => outputs[name]), updates });
    return { names, executable };
  };

  const entryFor = (inputs: readonly Pick<NdArray, "shape" | "dtype">[]): Promise<Entry<Name>> => {
    const key = inputs.map((x) => x.dtype + formatShape(x.shape)).join(" ");
    const known = entries.get(key);
    if (known) return known;
    const entry = trace(inputs);
    entries.set(key, entry);
    entry.catch(() => entries.delete(key));
    return entry;
  };

  const call = async (...inputs: readonly NdArray[]): Promise<Record<Name, NdArray>> => {
    const { names, executable } = await entryFor(inputs);
    const results = await executable.run(inputs);
    return Object.fromEntries(names.map((name, i) => [name, results[i]])) as Record<Name, NdArray>;
  };
  const prepare = async (...inputs: readonly Pick<NdArray, "shape" | "dtype">[]): Promise<Executable> =>
    (await entryFor(inputs)).executable;
  const dispose = (): void => {
    for (const entry of entries.values())
      void entry.then(
        ({ executable }) => executable.dispose(),
        () => undefined,
      );
    entries.clear();
  };
  return Object.assign(call, { prepare, dispose });
}
