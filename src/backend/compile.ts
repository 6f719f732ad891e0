import type { Update } from "../tensor/graph.ts";
import { ndarray } from "../tensor/ndarray.ts";
import type { NdArray } from "../tensor/ndarray.ts";
import { formatShape } from "../tensor/shape.ts";
import { Tensor } from "../tensor/tensor.ts";
import type { Backend, Executable, GroupExchange } from "./backend.ts";
import { checkArray } from "./common/checks.ts";

/** What a traced function returns: named results, and variables with their next values. */
export interface Traced<Output extends string> {
  readonly outputs: Readonly<Record<Output, Tensor>>;
  readonly updates?: readonly Update[];
}

type Named<Name extends string, Value> = Readonly<Record<Name, Value>>;

/** The inputs by name; none need be given to a function that reads none. */
type Given<Input extends string, Value> = string extends Input
  ? [inputs?: Named<string, Value>]
  : [inputs: Named<Input, Value>];

type TypeOfInput = Pick<NdArray, "shape" | "dtype">;

export type Compiled<Output extends string, Input extends string = string> = {
  (...inputs: Given<Input, NdArray>): Promise<Record<Output, NdArray>>;
  /** Runs, and lets the host change variables that the program computes: while it runs, where the device can. */
  exchanging(inputs: Named<Input, NdArray>, exchange: GroupExchange): Promise<Record<Output, NdArray>>;
  /** Compiles for these inputs' shapes without running; resolves with the executable. */
  prepare(...inputs: Given<Input, TypeOfInput>): Promise<Executable>;
  /** Frees every program that was compiled. */
  dispose(): void;
};

interface Entry<Output extends string> {
  readonly names: readonly Output[];
  readonly executable: Executable;
}

/**
 * Traces a function of named tensors once per combination of the inputs' names, shapes and dtypes and runs what it
 * traced. What it returns is called with arrays by the same names.
 *
 * @throws Error of one line, when it is called, if an input that the function reads is not given
 *
 * @example
 * const add = compile(backend, ({ x, y }) => ({ outputs: { sum: x.add(y) } }));
 * const { sum } = await add({ x: ndarray([1, 2, 3], [3]), y: ndarray([1], []) });
 */
export function compile<Output extends string, Input extends string = string>(
  backend: Backend,
  fn: (inputs: Named<Input, Tensor>) => Traced<Output>,
): Compiled<Output, Input> {
  const entries = new Map<string, Promise<Entry<Output>>>();

  const trace = async (inputs: Named<string, TypeOfInput>, inputNames: readonly string[]): Promise<Entry<Output>> => {
    const leaves = inputNames.map((name, index) => {
      const { shape, dtype } = inputs[name];
      return new Tensor({ kind: "input", index, shape, dtype });
    });
    const named = Object.fromEntries(inputNames.map((name, i) => [name, leaves[i]]));
    const { outputs, updates = [] } = fn(refusingOthers(named));
    const names = Object.keys(outputs) as Output[];
    const executable = await backend.load({ inputs: leaves, outputs: names.map((name) => outputs[name]), updates });
    return { names, executable };
  };

  const entryFor = (inputs: Named<string, TypeOfInput>, inputNames: readonly string[]): Promise<Entry<Output>> => {
    const key = inputNames.map((name) => `${name}: ${inputs[name].dtype}${formatShape(inputs[name].shape)}`).join(", ");
    const known = entries.get(key);
    if (known) return known;
    const entry = trace(inputs, inputNames);
    entries.set(key, entry);
    entry.catch(() => entries.delete(key));
    return entry;
  };

  type Run = (executable: Executable, inputs: readonly NdArray[]) => Promise<NdArray[]>;
  const runWith = async (run: Run, inputs: Named<string, NdArray>): Promise<Record<Output, NdArray>> => {
    const inputNames = namesOf(inputs);
    for (const name of inputNames) checkArray(`compile: input ${name}`, inputs[name]);
    const { names, executable } = await entryFor(inputs, inputNames);
    const results = await run(
      executable,
      inputNames.map((name) => inputs[name]),
    );
    const named = names.map((name, i) => [name, ndarray(results[i].data, results[i].shape, results[i].dtype)]);
    return Object.fromEntries(named) as Record<Output, NdArray>;
  };
  const call = (inputs: Named<string, NdArray> = {}): Promise<Record<Output, NdArray>> =>
    runWith((executable, arrays) => executable.run(arrays), inputs);
  const exchanging = (inputs: Named<string, NdArray>, exchange: GroupExchange): Promise<Record<Output, NdArray>> =>
    runWith(async (executable, arrays) => {
      if (executable.runAndExchange) return executable.runAndExchange(arrays, exchange);
      const results = await executable.run(arrays);
      for (const group of exchange.groups) await backend.exchange(group, exchange.change);
      return results;
    }, inputs);
  const prepare = async (inputs: Named<string, TypeOfInput> = {}): Promise<Executable> =>
    (await entryFor(inputs, namesOf(inputs))).executable;
  const dispose = (): void => {
    for (const entry of entries.values())
      void entry.then(
        ({ executable }) => executable.dispose(),
        () => undefined,
      );
    entries.clear();
  };
  return Object.assign(call, { exchanging, prepare, dispose });
}

/** In one order, whatever the caller's. An input that is undefined is none. */
function namesOf(inputs: Named<string, unknown>): string[] {
  if ("shape" in inputs && "dtype" in inputs) throw new Error("compile: inputs are given by name, as { x: array }");
  return Object.keys(inputs)
    .filter((name) => inputs[name] !== undefined)
    .toSorted();
}

/** So that a name that is written wrong on one of the two sides is told by its name. */
function refusingOthers(inputs: Named<string, Tensor>): Named<string, Tensor> {
  return new Proxy(inputs, {
    get(target, name) {
      if (typeof name === "symbol" || name in target) return Reflect.get(target, name) as Tensor;
      const given = Object.keys(target).join(", ") || "none";
      throw new Error(`compile: the function reads input ${name}, which is not given; given: ${given}`);
    },
  });
}
