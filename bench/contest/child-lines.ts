import type { ChildProcessWithoutNullStreams } from "node:child_process";
import { createInterface } from "node:readline";
import { z } from "zod";

/** More than the slowest start, compilation included, on a slow machine. */
const PATIENCE_SECONDS = 1800;

/** What a process says instead of an answer when it fails. */
const failure = z.object({ error: z.string() });

/** Lines of JSON to and from a child process. */
export class ChildLines {
  readonly #name: string;
  readonly #child: ChildProcessWithoutNullStreams;
  readonly #lines: string[] = [];
  readonly #ended: Promise<void>;
  #hasEnded = false;
  #wake: () => void = () => {};
  #problem = "";

  constructor(name: string, child: ChildProcessWithoutNullStreams) {
    this.#name = name;
    this.#child = child;
    createInterface({ input: child.stdout }).on("line", (line) => {
      this.#lines.push(line);
      this.#wake();
    });
    // What a library says on stderr matters only if the process fails; its last line tells most.
    child.stderr.on("data", (data: Buffer) => {
      this.#problem = data.toString().trim().split("\n").at(-1) ?? "";
    });
    // Writing to a process that has ended fails; that it has ended is told by the next read.
    child.stdin.on("error", () => {});
    this.#ended = new Promise((resolve) => {
      const end = (): void => {
        this.#hasEnded = true;
        this.#wake();
        resolve();
      };
      child.once("close", end);
      child.once("error", (error) => {
        this.#problem = error.message;
        end();
      });
    });
  }

  write(message: Readonly<Record<string, unknown>>): void {
    this.#child.stdin.write(`${JSON.stringify(message)}\n`);
  }

  /** @throws Error of one line if the process has failed or says something else */
  async readAs<Answer>(schema: z.ZodType<Answer>): Promise<Answer> {
    const text = await this.#read();
    const value = this.#parse(text);
    const failed = failure.safeParse(value);
    if (failed.success) throw new Error(`${this.#name}: ${failed.data.error}`);
    const result = schema.safeParse(value);
    if (result.success) return result.data;
    throw new Error(`${this.#name}: gave an answer of the wrong form: ${text.slice(0, 80)}`);
  }

  #parse(text: string): unknown {
    try {
      return JSON.parse(text);
    } catch (error) {
      throw new Error(`${this.#name}: answers must be lines of JSON, got ${text.slice(0, 80)}`, { cause: error });
    }
  }

  async #read(): Promise<string> {
    const timer = setTimeout(() => {
      this.#child.kill("SIGKILL");
      this.#problem = `no answer within ${PATIENCE_SECONDS} s`;
    }, PATIENCE_SECONDS * 1000);
    while (this.#lines.length === 0 && !this.#hasEnded) {
      await new Promise<void>((resolve) => {
        this.#wake = resolve;
      });
    }
    clearTimeout(timer);
    const line = this.#lines.shift();
    if (line !== undefined) return line;
    throw new Error(`${this.#name}: its process ended early${this.#problem === "" ? "" : `: ${this.#problem}`}`);
  }

  async close(): Promise<void> {
    this.#child.stdin.end();
    const timer = setTimeout(() => this.#child.kill("SIGKILL"), 5000);
    await this.#ended;
    clearTimeout(timer);
  }
}
