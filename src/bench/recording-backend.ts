import type { Backend, Executable } from "../backend/backend.ts";
import type { Graph } from "../tensor/graph.ts";
import type { NdArray } from "../tensor/ndarray.ts";

/** One run of a program. */
export interface RecordedRun {
  readonly executable: Executable;
  readonly inputs: readonly NdArray[];
}

/** Passes everything on to a backend and notes which programs run, so that they can be looked at alone. */
export class RecordingBackend implements Backend {
  readonly name: Backend["name"];
  readonly description: string;
  readonly precision: Backend["precision"];
  readonly #backend: Backend;
  #runs: RecordedRun[] = [];

  constructor(backend: Backend) {
    this.name = backend.name;
    this.description = backend.description;
    this.precision = backend.precision;
    this.#backend = backend;
  }

  get isClosed(): boolean {
    return this.#backend.isClosed;
  }

  /** The runs since the last call. */
  takeRuns(): readonly RecordedRun[] {
    const runs = this.#runs;
    this.#runs = [];
    return runs;
  }

  async load(graph: Graph): Promise<Executable> {
    const executable = await this.#backend.load(graph);
    return {
      workspaceBytes: executable.workspaceBytes,
      heldBytes: executable.heldBytes,
      run: (inputs) => {
        this.#runs.push({ executable, inputs });
        return executable.run(inputs);
      },
      dispose: () => executable.dispose(),
    };
  }

  exchange(...given: Parameters<Backend["exchange"]>): Promise<void> {
    return this.#backend.exchange(...given);
  }

  close(): Promise<void> {
    return this.#backend.close();
  }
}
