import { fileURLToPath } from "node:url";
import { DEFAULT_SIZE } from "../../src/bench/sizes.ts";
import { workloadNames } from "../../src/bench/workload-names.ts";
import { libraries } from "./libraries.ts";
import type { LibraryName } from "./libraries.ts";
import { findLibrary } from "./packages.ts";
import type { Found } from "./packages.ts";
import type { Contestant, Task } from "./participant.ts";

export interface OwnOptions {
  readonly threads: number;
  readonly simd?: 128 | 256;
  /** Whether programs that were compiled earlier are used; true by default. */
  readonly isCached?: boolean;
}

/** Our engine, on so many threads. */
export function ours({ threads, simd = 256, isCached = true }: OwnOptions): Contestant {
  const file = fileURLToPath(new URL("ours.ts", import.meta.url));
  return {
    name: "unnoise",
    isOurs: true,
    workloads: workloadNames,
    counts: true,
    startsSlowly: false,
    command: ({ workload, size, batchSize }) => {
      const cache = isCached ? "kept" : "none";
      return [process.execPath, file, ...flags({ workload, size, batch: batchSize, threads, simd, cache })];
    },
  };
}

interface Peer extends Omit<Contestant, "isOurs" | "command"> {
  readonly library: LibraryName;
  readonly script: string;
  /** One of several ways of the script. */
  readonly mode?: string;
}

const torch = {
  library: "pytorch",
  script: "pytorch.py",
  workloads: workloadNames,
  counts: true,
  startsSlowly: false,
} as const;

/** Those whose side is written for the article's network alone. */
const articleOnly = { sizes: [DEFAULT_SIZE] } as const;

/** One that does not train. */
const predictor = { workloads: ["forward", "sampling"], counts: true, startsSlowly: false } as const;

/** By what --peers calls them. */
const peers: Readonly<Record<string, Peer>> = {
  eager: { ...torch, mode: "eager", name: "pytorch eager" },
  channels_last: { ...torch, mode: "channels_last", name: "pytorch channels_last" },
  bf16: { ...torch, mode: "bf16", name: "pytorch bf16 autocast", counts: false },
  compile: { ...torch, mode: "compile", name: "pytorch compile", startsSlowly: true },
  jax: {
    library: "jax",
    script: "jax_peer.py",
    name: "jax",
    ...articleOnly,
    workloads: workloadNames,
    counts: true,
    startsSlowly: true,
  },
  openvino: { ...predictor, library: "openvino", script: "openvino_peer.py", name: "openvino" },
  onnxruntime: { ...predictor, library: "onnxruntime", script: "onnxruntime.ts", name: "onnxruntime-node" },
  tfjs: { ...predictor, ...articleOnly, library: "tfjs", script: "tfjs.ts", name: "tensorflow.js" },
  // A second and a half for an image.
  "jax-js": { ...predictor, ...articleOnly, library: "jax-js", script: "jax-js.ts", name: "jax-js", mostImages: 1 },
};

/** Several at once. */
const groups: Readonly<Record<string, readonly string[]>> = {
  pytorch: ["eager", "channels_last", "bf16"],
  all: Object.keys(peers),
  none: [],
};

/** The strongest at training, and at prediction. */
export const DEFAULT_PEERS = ["pytorch", "openvino"];

/** What --peers takes. */
export const peerNames: readonly string[] = [...Object.keys(groups), ...Object.keys(peers)];

function peersOf(names: readonly string[]): [name: string, peer: Peer][] {
  const wanted = new Set(names.flatMap((name) => groups[name] ?? [name]));
  return Object.entries(peers).filter(([name]) => wanted.has(name));
}

/** The libraries that peers are made with. */
export function librariesOf(names: readonly string[]): LibraryName[] {
  return [...new Set(peersOf(names).map(([, { library }]) => library))];
}

/** The peers of these names that are installed, each on so many threads; `warn` is told what is absent. */
export async function findPeers(
  names: readonly string[],
  threads: number,
  warn: (line: string) => void,
): Promise<Contestant[]> {
  const found = new Map<LibraryName, Found>();
  for (const id of librariesOf(names)) {
    const library = await findLibrary(id, libraries[id]);
    if ("absence" in library) warn(library.absence);
    else found.set(id, library);
  }
  return peersOf(names).flatMap(([, peer]) => {
    const library = found.get(peer.library);
    return library ? [contestantOf(peer, library, threads)] : [];
  });
}

function contestantOf({ script, mode, ...peer }: Peer, found: Found, threads: number): Contestant {
  const file = fileURLToPath(new URL(`../peers/${script}`, import.meta.url));
  const command = ({ workload, batchSize, reference }: Task): [string, ...string[]] => {
    const task = flags({ workload, batch: batchSize, threads, reference, ...(mode === undefined ? {} : { mode }) });
    // -B: no __pycache__ in the repository
    if (script.endsWith(".py")) return [found.python, "-B", file, ...task];
    return [process.execPath, file, ...task, ...flags({ npm: found.npm, python: found.python })];
  };
  return { ...peer, isOurs: false, command };
}

function flags(values: Readonly<Record<string, string | number>>): string[] {
  return Object.entries(values).flatMap(([name, value]) => [`--${name}`, String(value)]);
}
