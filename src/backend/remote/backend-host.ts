import type { DType, TypedArray } from "../../tensor/dtype.ts";
import type { NdArray } from "../../tensor/ndarray.ts";
import type { Shape } from "../../tensor/shape.ts";
import { Variable } from "../../tensor/variable.ts";
import type { Backend, BackendOptions, Executable } from "../backend.ts";
import { serve } from "../common/channel.ts";
import type { WorkerScope } from "../common/channel.ts";
import { graphOf } from "../common/graph-record.ts";
import type { GraphRecord } from "../common/graph-record.ts";

/** What a backend says of itself. */
export type BackendFacts = Pick<Backend, "name" | "description" | "reason" | "precision">;

/** What a program takes of a device's memory. */
export type ProgramSizes = Pick<Executable, "workspaceBytes" | "heldBytes">;

/** What a {@link RemoteBackend} asks of its worker. Programs and variables are numbers that it picked. */
export interface HostFunctions {
  open(options: BackendOptions): Promise<BackendFacts>;
  load(program: number, graph: GraphRecord): Promise<ProgramSizes>;
  run(program: number, inputs: readonly NdArray[]): Promise<NdArray[]>;
  dispose(program: number): Promise<void>;
  /** Gives a variable a value, and makes it if it is new here. */
  place(variable: number, value: VariableRecord): Promise<void>;
  read(variable: number): Promise<TypedArray>;
  /** Frees the device's memory of a variable that lives elsewhere now. */
  release(variable: number): Promise<void>;
  /** Frees all memory of a variable that nobody asks for any more. */
  forget(variable: number): Promise<void>;
  close(): Promise<void>;
}

export interface VariableRecord {
  readonly name: string;
  readonly shape: Shape;
  readonly dtype: DType;
  readonly isPacked: boolean;
  readonly data: TypedArray;
}

/** Runs a backend inside a worker for a {@link RemoteBackend} outside. */
export function hostBackend(scope: WorkerScope, create: (options: BackendOptions) => Promise<Backend>): void {
  let backend: Backend | undefined;
  const programs = new Map<number, Executable>();
  const variables = new Map<number, Variable>();
  /** Settles when the programs that were run so far have ended: values are read after them. */
  let ended: Promise<unknown> = Promise.resolve();
  serve<HostFunctions>(scope, {
    async open(options) {
      backend = await create(options);
      const { name, description, reason, precision } = backend;
      return { name, description, reason, precision };
    },
    async load(program, graph) {
      const executable = await known(backend).load(graphOf(graph, (variable) => known(variables.get(variable))));
      programs.set(program, executable);
      return { workspaceBytes: executable.workspaceBytes, heldBytes: executable.heldBytes };
    },
    run: (program, inputs) => {
      const outputs = known(programs.get(program)).run(inputs);
      ended = Promise.allSettled([ended, outputs]);
      return outputs;
    },
    async dispose(program) {
      programs.get(program)?.dispose();
      programs.delete(program);
    },
    async place(variable, { name, shape, dtype, isPacked, data }) {
      const before = variables.get(variable);
      if (before) await before.write(data);
      else variables.set(variable, new Variable(name, shape, { dtype, isPacked, data }));
    },
    async read(variable) {
      // Looked up before waiting: the next message may forget it.
      const asked = known(variables.get(variable));
      await ended;
      return asked.read();
    },
    async release(variable) {
      await variables.get(variable)?.moveToHost();
    },
    async forget(variable) {
      const known = variables.get(variable);
      variables.delete(variable);
      await ended;
      known?.dispose();
    },
    close: async () => backend?.close(),
  });
}

function known<T>(thing: T | undefined): T {
  if (thing === undefined) throw new Error("internal: the worker was asked for something that it does not have");
  return thing;
}
