import { spawn } from "node:child_process";
import { z } from "zod";
import { ChildLines } from "./child-lines.ts";

/** How to start somebody who does a workload. */
export interface Contestant {
  readonly name: string;
  /** False for one that computes with less precision: it is shown but is no peer to be ahead of. */
  readonly counts: boolean;
  /** It takes minutes to start, so it is started once where others are several times. */
  readonly startsSlowly: boolean;
  command(workload: string, batchSize: number): readonly [file: string, ...args: string[]];
}

const ready = z.object({ ready: z.object({ description: z.string() }) });

/**
 * A process that does a workload on request and sleeps in between, so that several can take turns. It speaks lines
 * of JSON: {"ready": ...} after its first step, then one answer for each request.
 */
export class Participant {
  readonly name: string;
  /** One line for people: what it runs on. */
  readonly description: string;
  /** From the start of the process to the end of its first step. */
  readonly secondsToFirstStep: number;
  readonly #lines: ChildLines;

  private constructor(name: string, description: string, secondsToFirstStep: number, lines: ChildLines) {
    this.name = name;
    this.description = description;
    this.secondsToFirstStep = secondsToFirstStep;
    this.#lines = lines;
  }

  /** Resolves after the first step. */
  static async start(contestant: Contestant, workload: string, batchSize: number): Promise<Participant> {
    const [file, ...args] = contestant.command(workload, batchSize);
    const start = performance.now();
    const lines = new ChildLines(contestant.name, spawn(file, args, { stdio: "pipe" }));
    try {
      const { description } = (await lines.readAs(ready)).ready;
      return new Participant(contestant.name, description, (performance.now() - start) / 1000, lines);
    } catch (error) {
      await lines.close();
      throw error;
    }
  }

  /** Does the work once; resolves with the seconds that it took by its own clock. */
  async step(): Promise<number> {
    return (await this.ask(z.object({ seconds: z.number().positive() }), { request: "step" })).seconds;
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
