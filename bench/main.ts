// `npm run bench`: our speed and memory beside other libraries, taking turns on this machine.
import { availableParallelism } from "node:os";
import { Command, CommanderError, Option } from "commander";
import { benchEnvironment } from "../src/bench/environment.node.ts";
import { profileReport } from "../src/bench/report.ts";
import type { BenchReport, ProfileReport } from "../src/bench/report.ts";
import { kernelTable, kindTable, resultTable } from "../src/cli/commands/bench/report.ts";
import { report } from "../src/cli/failure.ts";
import { numberFlag } from "../src/cli/flags/flags.ts";
import { wholeNumber } from "../src/config/rules.ts";
import { namesFlag } from "../src/cli/flags/name-list.ts";
import { DEFAULT_PEERS, findPeers, librariesOf, peerNames } from "./contest/contestants.ts";
import { libraries } from "./contest/libraries.ts";
import { installLibraries } from "./contest/packages.ts";
import { codeTable } from "./gpu-code/gpu-code.ts";
import { Referee } from "./contest/referee.ts";
import { countTable } from "./measurements/gpu-counts.ts";
import { measurementNames, measurementsOf } from "./measurements/measurements.ts";
import type { CodeShare, CountedRow, Outcome } from "./measurements/outcome.ts";
import type { Plan } from "./measurements/plan.ts";
import { geometricMeans, sizeTable } from "./measurements/size-table.ts";

const EXIT_USAGE = 2;

interface Flags {
  readonly only?: readonly string[];
  readonly rounds: number;
  readonly peers: readonly string[];
  readonly compile?: boolean;
  readonly kernels?: number | true;
  readonly batchSize?: number;
  readonly json?: boolean;
  readonly installPeers?: boolean;
}

const HELP = `
Measurements: train, forward and sampling take turns with the peers at the same step; narrow is the training step with
128-bit SIMD; threads is all threads against one; process is peak memory and the time from the start of a process to
its first training step, cold the same without programs that were compiled earlier. sizes is a table of the U-Net in the
widths that people train, each row of which can be measured alone: dim64 has 64 channels, single is a batch of one.
gpu-code counts how much of what a GPU's vector units are given in the loops of products are multiply-adds, in machine code for
an AMD GPU that need not be there: it takes naga, Mesa's RADV, a C compiler and Vulkan's headers.
pretrained are google/ddpm-cifar10-32 and google/ddpm-church-256 beside diffusers, both with random weights.
gpu-counts times nothing: it compiles programs as for a GPU and counts what they ask of one; no GPU is needed.
Every figure is a median with its range.

Peers: eager, channels_last, bf16 and compile are PyTorch; pytorch is the first three, all is everybody. openvino,
onnxruntime, tfjs and jax-js take part in forward and sampling alone; jax, tfjs and jax-js know the article's U-Net alone.
bf16 computes with less precision and is left out of the ratio and the table; compile takes minutes to start; jax-js gets
one image, whose seconds are multiplied by the batch. Everybody first computes from the same numbers: one whose answer is
not ours is left out, as is one that is absent or fails, with a line that says so. --install-peers brings what those of
--peers need.`;

function command(): Command {
  return new Command("npm run bench --")
    .description("Measure training, prediction and sampling beside other libraries on this machine.")
    .option("--only <names>", `measure only these: ${measurementNames.join(",")}`, namesFlag(measurementNames))
    .option("--rounds <n>", "how often everybody takes a turn", numberFlag(wholeNumber(1, 1000)), 5)
    .addOption(
      new Option("--peers <names>", `whom to compare with: ${peerNames.join(",")}`)
        .argParser(namesFlag(peerNames))
        .default(DEFAULT_PEERS, DEFAULT_PEERS.join(",")),
    )
    .option("--compile", "also compare with torch.compile")
    .option(
      "--kernels [n]",
      "also list the n slowest kernels of each program (default: 30)",
      numberFlag(wholeNumber(1)),
    )
    .option(
      "--batch-size <n>",
      "instead of each measurement's own, such as 128 for train and forward, 64 for sampling",
      numberFlag(wholeNumber(1)),
    )
    .option("--json", "print one JSON object instead of tables")
    .option("--install-peers", "first install the peers outside of the repository, in the cache")
    .addHelpText("after", HELP)
    .exitOverride();
}

async function run(flags: Flags): Promise<void> {
  const names = flags.compile === true ? [...flags.peers, "compile"] : flags.peers;
  if (flags.installPeers === true) {
    const directory = await installLibraries(librariesOf(names).map((id) => libraries[id]));
    warn(`peers are installed in ${directory}`);
  }
  const threads = availableParallelism();
  const isTimed = measurementsOf(flags.only).some(({ isCount }) => isCount !== true);
  const peers = isTimed ? await findPeers(names, threads, warn) : [];
  const referee = await Referee.create();
  try {
    const { rounds, batchSize } = flags;
    const profilesSizes = flags.kernels !== undefined;
    await measure(flags, { threads, peers, rounds, batchSize, profilesSizes, referee, say: progress, warn });
  } finally {
    await referee.dispose();
  }
}

async function measure(flags: Flags, plan: Plan): Promise<void> {
  const isTable = flags.json !== true;
  const kernelCount = flags.kernels === undefined ? 0 : flags.kernels === true ? 30 : flags.kernels;
  const environment = benchEnvironment();
  const outcomes: Outcome[] = [];
  if (isTable) print(heading(environment));
  for (const measurement of measurementsOf(flags.only)) {
    const outcome = await measurement.run(plan);
    clearProgress();
    if (isTable) printOutcome(outcome, profilesOf(outcome, kernelCount));
    outcomes.push(outcome);
  }
  const rows = outcomes.flatMap(({ row }) => row ?? []);
  const code = outcomes.flatMap((outcome) => outcome.code ?? []);
  if (isTable && rows.length > 1) print(`${sizeTable(rows)}\n`);
  if (isTable) return;
  const counts = outcomes.flatMap((outcome) => outcome.counts ?? []);
  const report: BenchReport & { readonly counts?: readonly CountedRow[]; readonly code?: readonly CodeShare[] } = {
    results: outcomes.flatMap(({ results }) => results),
    profiles: outcomes.flatMap((outcome) => profilesOf(outcome, kernelCount)),
    ...(counts.length > 0 ? { counts } : {}),
    ...(code.length > 0 ? { code } : {}),
    ...(rows.length > 0 ? { sizes: rows.map(({ size }) => size), geometricMeans: geometricMeans(rows) } : {}),
    environment,
  };
  print(JSON.stringify(report, undefined, 2));
}

function profilesOf({ profiles }: Outcome, kernelCount: number): ProfileReport[] {
  return profiles.map((profile) => profileReport(profile, kernelCount));
}

function heading({ processor, processorFamily, threads, node }: BenchReport["environment"]): string {
  return `${[processor, processorFamily].filter(Boolean).join(", ")}, ${threads} threads; Node ${node}\n`;
}

function printOutcome({ results, descriptions, counts = [], code }: Outcome, profiles: readonly ProfileReport[]): void {
  for (const row of counts) print(`${countTable(row)}\n`);
  for (const result of results) print(`${resultTable(result)}\n`);
  if (code) print(`${codeTable(code)}\n`);
  if (descriptions.length > 0) print(`  ${[...new Set(descriptions)].join("\n  ")}\n`);
  for (const profile of profiles) {
    print(`${kindTable(profile)}\n`);
    if (profile.kernels.length > 0) print(`${kernelTable(profile)}\n`);
  }
}

function print(text: string): void {
  process.stdout.write(`${text}\n`);
}

function warn(line: string): void {
  clearProgress();
  process.stderr.write(`${line}\n`);
}

const CLEAR_LINE = "\r\u001B[K";

/** A line that the next one replaces, on a terminal alone. */
function progress(line: string): void {
  if (process.stderr.isTTY) process.stderr.write(`${CLEAR_LINE}${line} ...`);
}

function clearProgress(): void {
  if (process.stderr.isTTY) process.stderr.write(CLEAR_LINE);
}

try {
  await run(command().parse().opts<Flags>());
} catch (error) {
  clearProgress();
  // Commander has said what is wrong with the command line.
  if (error instanceof CommanderError) process.exitCode = error.exitCode === 0 ? 0 : EXIT_USAGE;
  else process.exitCode = report(error);
}
