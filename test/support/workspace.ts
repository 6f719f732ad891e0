import { spawn } from "node:child_process";
import { once } from "node:events";
import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { readFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, expect } from "vitest";
import { metricsLine } from "../../src/checkpoint/metrics.ts";
import { loadSharp } from "../../src/io/images/images.node.ts";
import { commandEnvironment, commandPath, runUnnoise } from "./command.ts";
import type { Outcome } from "./command.ts";
import { idxImages } from "./idx-images.ts";

/** A folder in which the tests of a file run commands; it is removed when they are done. */
export class Workspace {
  readonly path: string;

  /** Has 16 ramps of 8 x 8 in `ramps-idx3-ubyte`. */
  constructor(name: string) {
    this.path = mkdtempSync(join(tmpdir(), `unnoise-${name}-`));
    writeFileSync(this.file("ramps-idx3-ubyte"), idxImages(16, 8));
    afterAll(() => rmSync(this.path, { recursive: true }));
  }

  file(...names: readonly string[]): string {
    return join(this.path, ...names);
  }

  /** Runs `unnoise` to its end; words are separated by spaces. */
  unnoise(...lines: readonly string[]): Promise<Outcome> {
    return runUnnoise(this.path, ...lines.flatMap(words));
  }

  /**
   * Runs `unnoise` to its end, and does something once it has said something.
   *
   * @param does is given what stops it
   */
  async whileRunning(
    line: string,
    said: string | RegExp,
    does: (kill: (signal: NodeJS.Signals) => void) => unknown,
  ): Promise<Outcome> {
    const child = spawn(process.execPath, [commandPath, ...words(line)], {
      cwd: this.path,
      env: commandEnvironment(this.path),
    });
    let [stdout, stderr] = ["", ""];
    let done: unknown;
    child.stderr.setEncoding("utf8").on("data", (text: string) => (stderr += text));
    child.stdout.setEncoding("utf8").on("data", (text: string) => {
      stdout += text;
      if (done === undefined && stdout.search(said) !== -1) done = does((signal) => child.kill(signal)) ?? true;
    });
    const [code, signal] = (await once(child, "close")) as [number | null, NodeJS.Signals | null];
    await done;
    return { code: code ?? (signal === null ? 0 : -1), stdout, stderr };
  }

  async pictureSize(...names: readonly string[]): Promise<{ width: number; height: number; pages: number }> {
    const sharp = await loadSharp();
    const metadata = await sharp(this.file(...names), { animated: true }).metadata();
    return { width: metadata.width, height: metadata.pageHeight ?? metadata.height, pages: metadata.pages ?? 1 };
  }

  /** The pixels of a gray picture. */
  async pixels(...names: readonly string[]): Promise<number[]> {
    const sharp = await loadSharp();
    return [
      ...(await sharp(this.file(...names))
        .extractChannel(0)
        .raw()
        .toBuffer()),
    ];
  }

  /** The losses of a run, whose steps go up from 1 without a gap. */
  async losses(run: string): Promise<number[]> {
    const lines = (await readFile(this.file(run, "metrics.jsonl"), "utf8")).trim().split("\n");
    const parsed = lines.map((line) => metricsLine.parse(JSON.parse(line)));
    expect(parsed.map(({ step }) => step)).toEqual(lines.map((_, i) => i + 1));
    return parsed.map(({ loss }) => loss);
  }
}

export function words(line: string): string[] {
  return line.split(" ").filter((word) => word !== "");
}

/** Flags of a model that trains in milliseconds, on the ramps of a workspace. */
export const tinyTraining =
  "--data ramps-idx3-ubyte --dim 4 --dim-mults 1,2 --attention-heads 1 --batch-size 4 --timesteps 20 " +
  "--sampling-timesteps 3 --samples 4 --sample-every 2 --save-every 3 --device reference";

/** Answers of one line to wrong command lines: the words after `unnoise`, the exit code, what stderr says. */
export type WrongLine = readonly [line: string, code: number, message: RegExp];

/** @throws if the answer is not that one line */
export async function expectOneLine(workspace: Workspace, [line, code, message]: WrongLine): Promise<void> {
  const outcome = await workspace.unnoise(line);
  expect(outcome.stderr).toMatch(message);
  expect(outcome.code).toBe(code);
  expect(outcome.stderr.trimEnd().split("\n")).toHaveLength(1);
}
