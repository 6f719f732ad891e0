// Our side of the benches, as a process: see Participant for what it says and is asked.
import { readFileSync } from "node:fs";
import { createInterface } from "node:readline";
import { parseArgs } from "node:util";
import { createWasmBackend } from "../src/backend/wasm/wasm-backend.node.ts";
import type { WasmBackend } from "../src/backend/wasm/wasm-backend.ts";
import { measureProfile } from "../src/bench/measure-profile.ts";
import { measurePeak } from "../src/bench/peak.node.ts";
import { workloadNames } from "../src/bench/workload-names.ts";
import { Workload } from "../src/bench/workload.ts";
import { programCache } from "../src/cli/program-cache.ts";
import { check, oneOf, wholeNumber } from "../src/training/rules.ts";
import { z } from "zod";

const settings = z.strictObject({
  workload: oneOf(workloadNames),
  batch: z.coerce.number().pipe(wholeNumber(1)),
  threads: z.coerce.number().pipe(wholeNumber(1)),
  /** 128 keeps V8 from merging pairs of vectors to 256 bits. */
  simd: oneOf(["128", "256"]),
});

const request = z.discriminatedUnion("request", [
  z.object({ request: z.literal("step") }),
  z.object({ request: z.literal("memory") }),
  z.object({ request: z.literal("profile"), rounds: z.number() }),
]);

function say(answer: unknown): void {
  process.stdout.write(`${JSON.stringify(answer)}\n`);
}

async function answer(line: string, workload: Workload, backend: WasmBackend, threads: number): Promise<unknown> {
  const asked = check(request, JSON.parse(line), "request");
  switch (asked.request) {
    case "step":
      return { seconds: await workload.step() };
    case "memory":
      return { bytes: peakBytes() };
    case "profile":
      return measureProfile(workload, { peak: () => measurePeak(backend.features, threads), rounds: asked.rounds });
  }
}

/** The most memory that this process had resident. */
function peakBytes(): number {
  if (process.platform !== "linux") return 1024 * process.resourceUsage().maxRSS;
  const [, kilobytes] = /VmHWM:\s*(\d+) kB/.exec(readFileSync("/proc/self/status", "utf8")) ?? [];
  return 1024 * Number(kilobytes);
}

async function serve(): Promise<void> {
  const names = ["workload", "batch", "threads", "simd"] as const;
  const options = Object.fromEntries(names.map((name) => [name, { type: "string" as const }]));
  const { workload: name, batch, threads, simd } = check(settings, parseArgs({ options }).values, "ours");
  const backend = await createWasmBackend({ threads, wide: simd === "256", cache: programCache() });
  const workload = new Workload(backend, name, batch);
  await workload.step();
  say({ ready: { description: `unnoise on ${backend.description}` } });
  for await (const line of createInterface({ input: process.stdin })) {
    say(await answer(line, workload, backend, threads));
  }
  process.exit(0);
}

try {
  await serve();
} catch (error) {
  say({ error: error instanceof Error ? error.message : String(error) });
  process.exit(1);
}
