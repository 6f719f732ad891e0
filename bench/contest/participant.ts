import { spawn } from "node:child_process";
import { z } from "zod";
import type { SizeName } from "../../src/bench/sizes.ts";
import type { WorkloadName } from "../../src/bench/workload-names.ts";
import { ChildLines } from "./child-lines.ts";

/** What is done: a workload with the network and images of a size. */
export interface Work {
  readonly workload: WorkloadName;
  readonly size: SizeName;
  readonly batchSize: number;
}

/** What somebody is to do. */
export interface Task extends Work {
  /** The file of numbers that a peer starts from; see Referee. */
  readonly reference: string;
}

/** How to start somebody who does a workload. */
export interface Contestant {
  readonly name: string;
  readonly isOurs: boolean;
  readonly workloads: readonly WorkloadName[];
  /** Those of the one network that it was written for; all without it. */
  readonly sizes?: readonly SizeName[];
  /** False for one that computes with less precision: it is shown but is no peer to be ahead of. */
  readonly counts: boolean;
  /** It compiles for long, so it is started once where others are several times. */
  readonly startsSlowly: boolean;
  /** For one so slow that it gets fewer images, and its seconds are multiplied. */
  readonly mostImages?: number;
  command(task: Task): readonly [file: string, ...args: string[]];
}

/** Whether there is something to compare. */
export function takesPart({ workloads, sizes }: Contestant, { workload, size }: Work): boolean {
  return workloads.includes(workload) && (sizes?.includes(size) ?? true);
}

const ready = z.object({ ready: z.object({ description: z.string() }) });

/**
 * A process that does a workload on request and sleeps in between, so that several can take turns. It speaks lines
 * of JSON: {"ready": ...} after its first step, then one answer for each request: "step", "memory", of a peer "values"
 * (see Referee), of us "profile".
 */
export class Participant {
  readonly contestant: Contestant;
  /** One line for people: what it runs on. */
  readonly description: string;
  /** From the start of the process to the end of its first step. */
  readonly secondsToFirstStep: number;
  readonly #lines: ChildLines;
  /** Images that it was meant to have over those that it has. */
  readonly #share: number;

  private constructor(contestant: Contestant, description: string, start: number, lines: ChildLines, share: number) {
    this.contestant = contestant;
    this.description = description;
    this.secondsToFirstStep = (performance.now() - start) / 1000;
    this.#lines = lines;
    this.#share = share;
  }

  /** Resolves after the first step. */
  static async start(contestant: Contestant, task: Task): Promise<Participant> {
    const batchSize = Math.min(task.batchSize, contestant.mostImages ?? Infinity);
    const [file, ...args] = contestant.command({ ...task, batchSize });
    const start = performance.now();
    const lines = new ChildLines(contestant.name, spawn(file, args, { stdio: "pipe" }));
    try {
      const { description } = (await lines.readAs(ready)).ready;
      const share = task.batchSize / batchSize;
      const note = share === 1 ? "" : `; its seconds are those of batch ${batchSize}, times ${share}`;
      return new Participant(contestant, `${description}${note}`, start, lines, share);
    } catch (error) {
      await lines.close();
      throw error;
    }
  }

  /** Does the work once; resolves with the seconds that it took by its own clock. */
  async step(): Promise<number> {
    const { seconds } = await this.ask(z.object({ seconds: z.number().positive() }), { request: "step" });
    return seconds * this.#share;
  }

  /** The most memory that the process has had so far. */
  async peakBytes(): Promise<number> {
    return (await this.ask(z.object({ bytes: z.number().positive() }), { request: "memory" })).bytes;
  }

  async ask<Answer>(schema: z.ZodType<Answer>, request: Readonly<Record<string, unknown>>): Promise<Answer> {
    this.#lines.write(request);
    return this.#lines.readAs(schema);
  }

  async stop(): Promise<void> {
    await this.#lines.close();
  }
}
