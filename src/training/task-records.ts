import type { Backend } from "../backend/backend.ts";
import { compile } from "../backend/compile.ts";
import type { Compiled } from "../backend/compile.ts";
import type { Update } from "../tensor/graph.ts";
import type { NdArray } from "../tensor/ndarray.ts";
import type { Tensor } from "../tensor/tensor.ts";
import { gatherRows } from "./collective/gather-rows.ts";
import type { Collective } from "./collective/collective.ts";
import { joinRows } from "./step/micro-batch.ts";
import type { TrainingTask } from "./task.ts";

type Observations = Readonly<Record<string, Tensor>>;

/** So that an observation may have the name of another output. */
const PREFIX = "observed ";

/**
 * What a task remembers of the images of a step. A single process records in the program that observes; several gather
 * what they have observed, and each records all of it, as if it had seen the whole batch.
 */
export class TaskRecords {
  readonly #task: TrainingTask;
  readonly #collective: Collective;
  readonly #record: Compiled<never>;

  constructor(backend: Backend, task: TrainingTask, collective: Collective) {
    this.#task = task;
    this.#collective = collective;
    this.#record = compile(backend, (observations) => ({ outputs: {}, updates: task.record?.(observations) ?? [] }));
  }

  /** What a program that observes images does about it. */
  traced(observations: Observations = {}): { readonly outputs: Observations; readonly updates: readonly Update[] } {
    if (this.#collective.size === 1) return { outputs: {}, updates: this.#task.record?.(observations) ?? [] };
    const outputs = Object.entries(observations).map(([name, rows]) => [PREFIX + name, rows] as const);
    return { outputs: Object.fromEntries(outputs), updates: [] };
  }

  /** Records a micro-batch. @param parts the outputs of the programs that observed its parts, in their order */
  async gather(parts: readonly Readonly<Record<string, NdArray>>[]): Promise<void> {
    const gathered: [string, NdArray][] = [];
    for (const name of Object.keys(parts[0])) {
      if (!name.startsWith(PREFIX)) continue;
      const rows = await gatherRows(this.#collective, joinRows(parts.map((outputs) => outputs[name])));
      gathered.push([name.slice(PREFIX.length), rows]);
    }
    if (gathered.length > 0) await this.#record(Object.fromEntries(gathered));
  }

  dispose(): void {
    this.#record.dispose();
  }
}
