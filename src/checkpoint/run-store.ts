import type { Checkpoint } from "./checkpoint.ts";
import type { MetricsLine } from "./metrics.ts";
import type { RunConfig } from "./run-config.ts";

export interface FoundCheckpoint {
  readonly checkpoint: Checkpoint;
  readonly path: string;
}

/** Where a trainer keeps a run. In Node it is a directory (`RunDirectory`); a browser may bring its own. */
export interface RunStore {
  /** The checkpoint to go on from, if there is one. */
  latest(): Promise<FoundCheckpoint | undefined>;
  /** Called once before the first step: what was recorded after `step` is void. */
  begin(config: RunConfig, step: number): Promise<void>;
  /** Called after every step. */
  record(line: MetricsLine): Promise<void>;
  /** Keeps a checkpoint whole or not at all, and returns where. */
  save(checkpoint: Checkpoint): Promise<string>;
}
