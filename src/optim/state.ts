import type { NdArray } from "../tensor/ndarray.ts";
import { formatShape, sameShape } from "../tensor/shape.ts";
import type { Variable } from "../tensor/variable.ts";

/** Values by name, such as a model's state dict. */
export type State = ReadonlyMap<string, NdArray>;

type Variables = ReadonlyMap<string, Variable>;

/** A copy of every variable's present value. */
export async function readState(variables: Variables): Promise<Map<string, NdArray>> {
  const state = new Map<string, NdArray>();
  for (const [name, variable] of variables) {
    state.set(name, { shape: variable.shape, dtype: variable.dtype, data: await variable.read() });
  }
  return state;
}

/** Replaces the value of every variable; {@link stateProblems} has found none. */
export async function writeState(variables: Variables, state: State): Promise<void> {
  for (const [name, variable] of variables) {
    const value = state.get(name);
    if (value === undefined) throw new Error(`internal: no value for ${name}`);
    await variable.write(value.data);
  }
}

/** What keeps a state from being written to the variables: names on one side only, and other shapes. */
export function stateProblems(variables: Variables, state: State): string[] {
  const missing = [...variables.keys()].filter((name) => !state.has(name)).map((name) => `${name} is missing`);
  const unexpected = [...state.keys()].filter((name) => !variables.has(name)).map((name) => `${name} is unexpected`);
  const illShaped = [...variables].flatMap(([name, { shape, dtype }]) => {
    const value = state.get(name);
    if (value === undefined || (sameShape(shape, value.shape) && dtype === value.dtype)) return [];
    return [`${name} is ${value.dtype} ${formatShape(value.shape)}, not ${dtype} ${formatShape(shape)}`];
  });
  return [...missing, ...unexpected, ...illShaped];
}

/** The first name whose values are not all finite, if there is one. */
export function findNonFinite(state: State): string | undefined {
  for (const [name, { data }] of state) {
    // Summing is faster than testing each, and no sum of finite float32 numbers overflows a float64.
    let sum = 0;
    for (const value of data) sum += value;
    if (!Number.isFinite(sum)) return name;
  }
  return undefined;
}
