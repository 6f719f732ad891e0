import { fileURLToPath } from "node:url";
import type { Contestant } from "./participant.ts";
import type { PythonWithTorch } from "./python.ts";

export interface OwnOptions {
  readonly threads: number;
  readonly simd?: 128 | 256;
}

/** Our engine, on so many threads. */
export function ours({ threads, simd = 256 }: OwnOptions): Contestant {
  const file = fileURLToPath(new URL("ours.ts", import.meta.url));
  return {
    name: "unnoise",
    counts: true,
    startsSlowly: false,
    command: (workload, batchSize) => [process.execPath, file, ...flags({ workload, batch: batchSize, threads, simd })],
  };
}

interface Mode {
  /** What the script calls it. */
  readonly mode: string;
  readonly name: string;
  readonly counts: boolean;
  readonly startsSlowly: boolean;
}

const modes: readonly Mode[] = [
  { mode: "eager", name: "pytorch eager", counts: true, startsSlowly: false },
  { mode: "channels_last", name: "pytorch channels_last", counts: true, startsSlowly: false },
  { mode: "bf16", name: "pytorch bf16 autocast", counts: false, startsSlowly: false },
  { mode: "compile", name: "pytorch compile", counts: true, startsSlowly: true },
];

/** The peers that --peers can name. */
export const peerNames: readonly string[] = modes.map(({ mode }) => mode);

/** PyTorch in one of its modes, on so many threads. */
export function pytorch(names: readonly string[], { path }: PythonWithTorch, threads: number): Contestant[] {
  const file = fileURLToPath(new URL("peers/pytorch.py", import.meta.url));
  return modes
    .filter(({ mode }) => names.includes(mode))
    .map(({ mode, name, counts, startsSlowly }) => ({
      name,
      counts,
      startsSlowly,
      // -B: no __pycache__ in the repository
      command: (workload, batchSize) => [path, "-B", file, ...flags({ workload, mode, batch: batchSize, threads })],
    }));
}

function flags(values: Readonly<Record<string, string | number>>): string[] {
  return Object.entries(values).flatMap(([name, value]) => [`--${name}`, String(value)]);
}
