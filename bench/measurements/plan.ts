import type { Contestant } from "../contest/participant.ts";
import type { Referee } from "../contest/referee.ts";

export interface Plan {
  readonly threads: number;
  readonly peers: readonly Contestant[];
  readonly rounds: number;
  /** Instead of each workload's own. */
  readonly batchSize: number | undefined;
  /** Whether programs of the table of sizes are profiled too. */
  readonly profilesSizes: boolean;
  readonly referee: Referee;
  /** Told what happens, for people who wait. */
  readonly say: (line: string) => void;
  /** Told which peer is left out, and why. */
  readonly warn: (line: string) => void;
}
