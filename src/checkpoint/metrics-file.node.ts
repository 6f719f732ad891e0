import { createReadStream } from "node:fs";
import { appendFile, truncate } from "node:fs/promises";
import { createInterface } from "node:readline";
import { errorCode, fileError } from "../io/file-errors.node.ts";
import { withRegularFile } from "../io/regular-file.node.ts";
import type { OpenFile } from "../io/regular-file.node.ts";
import { metricsOf } from "./metrics.ts";
import type { MetricsLine } from "./metrics.ts";

/** Bytes that are read at a time; no line is as long. */
const PIECE = 1 << 16;
const NEWLINE = 10;

/** A metrics.jsonl, which is never held in memory: one of a million steps has a hundred megabytes. */
export class MetricsFile {
  readonly path: string;

  constructor(path: string) {
    this.path = path;
  }

  /** Cuts off what was recorded after a step, and a line that was not written whole. */
  async cutAfter(step: number): Promise<void> {
    const end = await ifThere(withRegularFile(this.path, (file) => endOfStep(file, step)));
    if (end === undefined) return;
    await truncate(this.path, end).catch((error: unknown) => {
      throw fileError(this.path, "write", error);
    });
  }

  async append(line: MetricsLine): Promise<void> {
    try {
      await appendFile(this.path, `${JSON.stringify(line)}\n`);
    } catch (error) {
      throw fileError(this.path, "write", error);
    }
  }

  /** The whole lines from the first; none where there is no file. */
  async *lines(): AsyncGenerator<MetricsLine> {
    const bytes = await ifThere(withRegularFile(this.path, (file) => Promise.resolve(file.bytes)));
    if (bytes === undefined) return;
    for await (const text of createInterface({ input: createReadStream(this.path), crlfDelay: Infinity })) {
      yield* metricsOf(text);
    }
  }
}

/** Undefined if a file is not there. */
async function ifThere<T>(use: Promise<T>): Promise<T | undefined> {
  return use.catch((error: unknown) => {
    if (error instanceof Error && errorCode(error.cause) === "ENOENT") return undefined;
    throw error;
  });
}

/** Where the last whole line of at most this step ends; looked for from the end, near which it is. */
async function endOfStep({ handle, bytes }: OpenFile, step: number): Promise<number> {
  let start = bytes;
  /** What was read from `start` on, up to the end of a line that may be the one. */
  let known = Buffer.alloc(0);
  while (true) {
    const newline = known.subarray(0, -1).lastIndexOf(NEWLINE);
    if (known.at(-1) === NEWLINE && (newline !== -1 || start === 0)) {
      const [line] = metricsOf(known.toString("utf8", newline + 1));
      if (line !== undefined && line.step <= step) return start + known.length;
    }
    if (newline !== -1) known = known.subarray(0, newline + 1);
    else if (start === 0) return 0;
    else {
      const piece = Buffer.alloc(Math.min(PIECE, start));
      start -= piece.length;
      await handle.read(piece, 0, piece.length, start);
      // Longer than any line: it is none.
      known = Buffer.concat([piece, known.length < PIECE ? known : Buffer.alloc(0)]);
    }
  }
}
