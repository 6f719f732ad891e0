// `npm run bench`: our speed and memory beside other libraries, taking turns on this machine.
import { availableParallelism } from "node:os";
import { Command, CommanderError, Option } from "commander";
import { benchEnvironment } from "../src/bench/environment.node.ts";
import { profileReport } from "../src/bench/report.ts";
import type { BenchReport, ProfileReport } from "../src/bench/report.ts";
import { kernelTable, kindTable, resultTable } from "../src/cli/bench-tables.ts";
import { report } from "../src/cli/failure.ts";
import { numberFlag } from "../src/cli/flags.ts";
import { wholeNumber } from "../src/training/rules.ts";
import { namesFlag } from "../src/cli/name-list.ts";
import { measurements } from "./measurements.ts";
import type { Outcome, Plan } from "./measurements.ts";
import { peerNames, pytorch } from "./contestants.ts";
import type { Contestant } from "./participant.ts";
import { INSTALL_HINT, findPython, installPeers } from "./python.ts";

const DEFAULT_PEERS = ["eager", "channels_last", "bf16"];
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
Measurements: train, forward and sampling take turns with PyTorch at the same step; narrow is the training step with
128-bit SIMD; threads is all threads against one; process is peak memory and the time from the start of a process to
its first training step. Every figure is a median with its range.

Peers: ${peerNames.join(", ")}. bf16 computes with less precision and is left out of the ratio. compile takes
minutes to start, so it takes part only with --compile or by name.`;

function command(): Command {
  const ids = measurements.map(({ id }) => id);
  return new Command("npm run bench --")
    .description("Measure training, prediction and sampling beside PyTorch on this machine.")
    .option("--only <names>", `measure only these: ${ids.join(",")}`, namesFlag(ids))
    .option("--rounds <n>", "how often everybody takes a turn", numberFlag(wholeNumber(1, 1000)), 5)
    .addOption(
      new Option("--peers <names>", `whom to compare with: ${peerNames.join(",")}, or none`)
        .argParser(namesFlag([...peerNames, "none"]))
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
    .option("--install-peers", "install PyTorch into a virtual environment outside of the repository first")
    .addHelpText("after", HELP)
    .exitOverride();
}

async function run(flags: Flags): Promise<void> {
  if (flags.installPeers === true) say(`peers are installed in ${await installPeers()}`);
  const threads = availableParallelism();
  const peers = await findPeers(flags, threads);
  const plan: Plan = { threads, peers, rounds: flags.rounds, batchSize: flags.batchSize, say: progress };
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

async function findPeers({ peers, compile }: Flags, threads: number): Promise<Contestant[]> {
  const names = peers.filter((name) => name !== "none");
  if (compile === true) names.push("compile");
  if (names.length === 0) return [];
  const python = await findPython();
  if (python) return pytorch(names, python, threads);
  say(`PyTorch is absent, so unnoise is measured alone: ${INSTALL_HINT}`);
  return [];
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

function say(line: string): void {
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
