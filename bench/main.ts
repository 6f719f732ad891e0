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
import { measurements } from "./measurements.ts";
import type { Outcome, Plan } from "./measurements.ts";
import { DEFAULT_PEERS, findPeers, librariesOf, peerNames } from "./contestants.ts";
import { libraries } from "./libraries.ts";
import { installLibraries } from "./packages.ts";
import { Referee } from "./referee.ts";

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
its first training step. Every figure is a median with its range.

Peers: eager, channels_last, bf16 and compile are PyTorch; pytorch is the first three, all is everybody. onnxruntime, tfjs
and jax-js take part in forward and sampling alone. bf16 computes with less precision and is left out of the ratio;
compile takes minutes to start; jax-js gets one image, whose seconds are multiplied by the batch. Everybody first computes
from the same numbers: one whose answer is not ours is left out, as is one that is absent or fails, with a line that
says so. --install-peers brings what those of --peers need.`;

function command(): Command {
  const ids = measurements.map(({ id }) => id);
  return new Command("npm run bench --")
    .description("Measure training, prediction and sampling beside other libraries on this machine.")
    .option("--only <names>", `measure only these: ${ids.join(",")}`, namesFlag(ids))
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
      "instead of 128 for training and prediction, 64 for sampling",
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
  const peers = await findPeers(names, threads, warn);
  const referee = await Referee.create();
  try {
    const { rounds, batchSize } = flags;
    await measure(flags, { threads, peers, rounds, batchSize, referee, say: progress, warn });
  } finally {
    await referee.dispose();
  }
}

async function measure(flags: Flags, plan: Plan): Promise<void> {
  const chosen = measurements.filter(({ id }) => flags.only?.includes(id) ?? true);
  const kernelCount = flags.kernels === undefined ? 0 : flags.kernels === true ? 30 : flags.kernels;
  const full: BenchReport = { results: [], profiles: [], environment: benchEnvironment() };
  const results = [];
  const profiles = [];
  if (flags.json !== true) print(heading(full));
  for (const measurement of chosen) {
    const outcome = await measurement.run(plan);
    clearProgress();
    const profile = outcome.profile && profileReport(outcome.profile, kernelCount);
    if (flags.json !== true) printOutcome(outcome, profile);
    results.push(...outcome.results);
    if (profile) profiles.push(profile);
  }
  if (flags.json === true) print(JSON.stringify({ ...full, results, profiles }, undefined, 2));
}

function heading({ environment }: BenchReport): string {
  const { processor, threads, node } = environment;
  return `${processor}, ${threads} threads; Node ${node}\n`;
}

function printOutcome({ results, descriptions }: Outcome, profile: ProfileReport | undefined): void {
  for (const result of results) print(`${resultTable(result)}\n`);
  print(`  ${[...new Set(descriptions)].join("\n  ")}\n`);
  if (!profile) return;
  print(`${kindTable(profile)}\n`);
  if (profile.kernels.length > 0) print(`${kernelTable(profile)}\n`);
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
