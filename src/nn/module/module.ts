import type { NdArray } from "../../tensor/ndarray.ts";
import type { Tensor } from "../../tensor/tensor.ts";
import { Variable } from "../../tensor/variable.ts";
import { compareState, valuesOf } from "./state-dict.ts";
import type { StateDict } from "./state-dict.ts";

/**
 * A part of a model: parameters, other modules, and the function that they make up.
 *
 * Its fields are its structure. A field that holds a Variable is a parameter, a field that holds a Module is a part,
 * and arrays of them count from 0; joined by dots they name each parameter as PyTorch would, with fields in
 * snake_case: `downs.0.2.fn.fn.to_out.1.weight`. Parameters have PyTorch's shapes too (convolutions [out, in, height,
 * width], linear layers [out, in]), so that weights pass in both directions unchanged.
 */
export abstract class Module {
  abstract forward(...inputs: readonly never[]): Tensor;

  /** What this module is made of, by name; fields unless a subclass says otherwise. */
  parts(): [string, unknown][] {
    return Object.entries(this).map(([field, part]) => [toSnakeCase(field), part]);
  }

  /** All parameters by name, in the order in which the fields are declared. */
  parameters(): Map<string, Variable> {
    const named = new Map<string, Variable>();
    visit("", this, (name, part) => {
      if (part instanceof Variable) named.set(name, part);
    });
    return named;
  }

  /** This module under the name "" and all modules inside it. */
  namedModules(): Map<string, Module> {
    const named = new Map<string, Module>();
    visit("", this, (name, part) => {
      if (part instanceof Module) named.set(name, part);
    });
    return named;
  }

  parameterCount(): number {
    return [...this.parameters().values()].reduce((sum, { size }) => sum + size, 0);
  }

  /** A copy of every parameter's present value. */
  async stateDict(): Promise<Map<string, NdArray>> {
    const state = new Map<string, NdArray>();
    for (const [name, variable] of this.parameters()) {
      state.set(name, { shape: variable.shape, dtype: variable.dtype, data: await variable.read() });
    }
    return state;
  }

  /**
   * Replaces the value of every parameter, by what {@link stateDict} or `readSafetensors` gives.
   *
   * @param source where the values come from, for messages
   * @throws one error that lists every missing, unexpected and ill-shaped name; then nothing has changed
   */
  async loadStateDict(state: StateDict, source = "loadStateDict"): Promise<void> {
    const parameters = this.parameters();
    const values = valuesOf(state);
    const problems = compareState(parameters, values);
    if (problems.length > 0) throw new Error(`${source}: ${problems.join("; ")}`);
    for (const [name, variable] of parameters) await values.get(name)?.writeTo(variable);
  }

  /** Frees the memory of every parameter, on the device or the host. The module cannot be used any more. */
  dispose(): void {
    for (const variable of this.parameters().values()) variable.dispose();
  }

  /** Gives parameters their names within this module as labels for messages. The outermost module calls it. */
  protected labelParameters(): void {
    for (const [name, variable] of this.parameters()) variable.name = name;
  }
}

/** A module from one tensor to one tensor. */
export interface Layer extends Module {
  forward(x: Tensor): Tensor;
}

function toSnakeCase(field: string): string {
  return field.replaceAll(/[A-Z]/g, (letter) => `_${letter.toLowerCase()}`);
}

function visit(name: string, part: unknown, see: (name: string, part: Module | Variable) => void): void {
  const inside = (key: string | number): string => (name === "" ? String(key) : `${name}.${key}`);
  if (part instanceof Variable || part instanceof Module) see(name, part);
  if (Array.isArray(part)) for (const [i, entry] of part.entries()) visit(inside(i), entry, see);
  else if (part instanceof Module) for (const [key, child] of part.parts()) visit(inside(key), child, see);
}
