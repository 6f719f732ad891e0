import type { NdArray } from "../tensor/ndarray.ts";
import type { Tensor } from "../tensor/tensor.ts";
import type { Backend, Executable } from "./backend.ts";
import { compile } from "./compile.ts";
import type { Traced } from "./compile.ts";

export type CompiledPositional<Output extends string> = {
  (...inputs: readonly NdArray[]): Promise<Record<Output, NdArray>>;
  prepare(...inputs: readonly Pick<NdArray, "shape" | "dtype">[]): Promise<Executable>;
  dispose(): void;
};

/** {@link compile} for functions whose inputs have places instead of names, until none is left. */
export function compilePositional<Output extends string>(
  backend: Backend,
  fn: (...inputs: Tensor[]) => Traced<Output>,
): CompiledPositional<Output> {
  const program = compile(backend, (inputs) => fn(...Object.keys(inputs).map((name) => inputs[name])));
  const named = <T>(inputs: readonly T[]): Record<string, T> =>
    Object.fromEntries(inputs.map((input, i) => [String(i).padStart(6, "0"), input]));
  const call = (...inputs: readonly NdArray[]): Promise<Record<Output, NdArray>> => program(named(inputs));
  return Object.assign(call, {
    prepare: (...inputs: readonly Pick<NdArray, "shape" | "dtype">[]) => program.prepare(named(inputs)),
    dispose: () => program.dispose(),
  });
}
