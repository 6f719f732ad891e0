import { mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { z } from "zod";
import { sizes } from "../../src/bench/sizes.ts";
import { expectedValues } from "./expected-values.ts";
import type { Participant, Work } from "./participant.ts";
import { writeReference } from "./reference.ts";

/** Float32 in another order differs by 1e-5, and Adam makes more of it; bfloat16 has 8 bits. */
const TOLERANCE = { exact: 2e-4, lessPrecise: 0.1 } as const;

const answer = z.object({ values: z.array(z.number()) });

/** Sees to it that whoever takes part computes the same as we: a speed is only compared with that of the same work. */
export class Referee {
  readonly #directory: string;
  readonly #files = new Map<string, Promise<string>>();
  readonly #expected = new Map<string, Promise<readonly number[]>>();
  /** Who has agreed in what. */
  readonly #agreed = new Set<string>();

  private constructor(directory: string) {
    this.#directory = directory;
  }

  static async create(): Promise<Referee> {
    return new Referee(await mkdtemp(join(tmpdir(), "unnoise-bench-")));
  }

  /** The file of the numbers that everybody starts from. */
  reference({ size, batchSize }: Work): Promise<string> {
    const name = `${size}-${batchSize}`;
    return remembered(this.#files, name, async () => {
      const path = join(this.#directory, `${name}.safetensors`);
      await writeReference(path, size, batchSize);
      return path;
    });
  }

  /** What we compute from the file. */
  expected(work: Work): Promise<readonly number[]> {
    return remembered(this.#expected, nameOf(work), () => expectedValues(work));
  }

  /** @throws Error of one line if a participant finds other values than we do */
  async judge(participant: Pick<Participant, "contestant" | "ask">, work: Work): Promise<void> {
    const { workload, size, batchSize } = work;
    const { name, counts, mostImages = batchSize } = participant.contestant;
    const claim = `${name} ${nameOf(work)}`;
    if (this.#agreed.has(claim)) return;
    const { values } = await participant.ask(answer, { request: "values" });
    const tolerance = counts ? TOLERANCE.exact : TOLERANCE.lessPrecise;
    // A training step has losses, fewer than an image has pixels; it is done with all images or not at all.
    const { imageSize, network } = sizes[size];
    const expected = (await this.expected(work)).slice(0, mostImages * imageSize ** 2 * network.channels);
    const difference = largestDifference(values, expected);
    if (difference <= tolerance) this.#agreed.add(claim);
    else throw new Error(`${name}: ${workload} must agree with ours within ${tolerance}, got ${difference}`);
  }

  /** Removes the files. */
  async dispose(): Promise<void> {
    await rm(this.#directory, { recursive: true, force: true });
  }
}

function nameOf({ workload, size, batchSize }: Work): string {
  return `${workload} ${size} ${batchSize}`;
}

function remembered<Key, Value>(known: Map<Key, Promise<Value>>, key: Key, make: () => Promise<Value>): Promise<Value> {
  const value = known.get(key) ?? make();
  known.set(key, value);
  return value;
}

/** Infinity where the number of values differs. */
export function largestDifference(values: readonly number[], expected: readonly number[]): number {
  if (values.length !== expected.length) return Infinity;
  return expected.reduce((largest, value, i) => Math.max(largest, Math.abs(values[i] - value)), 0);
}
