import { spreadOf } from "./statistics.ts";
import type { Spread } from "./statistics.ts";

export type Unit = "s" | "bytes";

/** What somebody else took for the same work. */
export interface PeerSpread extends Spread {
  /** False for one that is shown beside the others but does less exact work, and is left out of the ratio. */
  readonly counts: boolean;
}

/** One comparison; less is better in both units. */
export interface BenchResult {
  readonly name: string;
  readonly unit: Unit;
  readonly ours: Spread;
  readonly peers: Readonly<Record<string, PeerSpread>>;
  /** The best peer's median over ours, so above 1 is ahead; null without a peer that counts. */
  readonly ratio: number | null;
}

export interface PeerSamples {
  readonly name: string;
  readonly counts: boolean;
  readonly samples: readonly number[];
}

export function benchResult(
  name: string,
  unit: Unit,
  ours: readonly number[],
  peers: readonly PeerSamples[] = [],
): BenchResult {
  const own = spreadOf(ours);
  const others = peers.map(({ name, counts, samples }) => [name, { ...spreadOf(samples), counts }] as const);
  const rivals = others.filter(([, { counts }]) => counts).map(([, { median }]) => median);
  return {
    name,
    unit,
    ours: own,
    peers: Object.fromEntries(others),
    ratio: rivals.length === 0 ? null : Math.min(...rivals) / own.median,
  };
}
