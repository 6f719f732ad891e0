import { benchResult } from "../src/bench/result.ts";
import type { BenchResult, Unit } from "../src/bench/result.ts";
import { batchSizeOf, titleOf } from "../src/bench/workload.ts";
import type { WorkloadName } from "../src/bench/workload-names.ts";
import type { ProgramProfile } from "../src/bench/measure-profile.ts";
import { ours } from "./contestants.ts";
import { Participant } from "./participant.ts";
import type { Contestant, Task } from "./participant.ts";
import { profileAnswer } from "./profile-answer.ts";
import type { Referee } from "./referee.ts";

export interface Plan {
  readonly threads: number;
  readonly peers: readonly Contestant[];
  readonly rounds: number;
  /** Instead of each workload's own. */
  readonly batchSize: number | undefined;
  readonly referee: Referee;
  /** Told what happens, for people who wait. */
  readonly say: (line: string) => void;
  /** Told which peer is left out, and why. */
  readonly warn: (line: string) => void;
}

export interface Outcome {
  readonly results: readonly BenchResult[];
  readonly profile?: ProgramProfile;
  /** What everybody ran on. */
  readonly descriptions: readonly string[];
}

export interface Measurement {
  /** What --only calls it. */
  readonly id: string;
  run(plan: Plan): Promise<Outcome>;
}

/** Steps beside the timed ones: optimisers of code and allocators have settled by then. */
const WARM_UP_STEPS = 2;
/** Between two turns, so that threads of the last one that still spin come to rest. */
const PAUSE_MS = 50;
const MOST_STARTS = 3;

export const measurements: readonly Measurement[] = [
  { id: "train", run: (plan) => compareSteps("train", plan) },
  { id: "forward", run: (plan) => compareSteps("forward", plan) },
  { id: "sampling", run: (plan) => compareSteps("sampling", plan) },
  { id: "narrow", run: (plan) => compareSteps("train", plan, { simd: 128, suffix: ", 128-bit SIMD" }) },
  { id: "threads", run: compareThreads },
  { id: "process", run: compareProcesses },
];

interface Variant {
  readonly simd?: 128;
  readonly suffix?: string;
}

/** Takes turns with the peers at the steps of a workload, then profiles our program. */
async function compareSteps(workload: WorkloadName, plan: Plan, { simd, suffix = "" }: Variant = {}): Promise<Outcome> {
  const title = `${titleOf(workload, plan.batchSize)}${suffix}`;
  const contestants = [ours({ threads: plan.threads, simd }), ...plan.peers];
  return withParticipants(contestants, workload, title, plan, async (participants) => {
    const seconds = await takeTurns(participants, title, plan);
    plan.say(`${title}: profile`);
    const profile = await participants[0].ask(profileAnswer, { request: "profile", rounds: plan.rounds });
    return {
      results: [resultOf(title, "s", seconds)],
      profile: { ...profile, name: title },
      descriptions: participants.map(({ description }) => description),
    };
  });
}

/** All threads against one. */
async function compareThreads(plan: Plan): Promise<Outcome> {
  const { threads } = plan;
  const title = `${titleOf("train", plan.batchSize)}, ${threads} threads over one`;
  const contestants = [ours({ threads }), { ...ours({ threads: 1 }), name: "unnoise, 1 thread" }];
  return withParticipants(contestants, "train", title, { ...plan, peers: [] }, async (participants) => ({
    results: [resultOf(title, "s", await takeTurns(participants, title, plan))],
    descriptions: participants.map(({ description }) => description),
  }));
}

/** Starts everybody afresh, one after the other: how long until the first step is done, and how much memory it takes. */
async function compareProcesses(plan: Plan): Promise<Outcome> {
  const task = await taskOf("train", plan);
  const title = titleOf("train", task.batchSize);
  const everybody = [ours({ threads: plan.threads }), ...plan.peers];
  const trainers = everybody.filter(({ workloads }) => workloads.includes("train"));
  const seconds: Samples = new Map(trainers.map((contestant) => [contestant, []]));
  const bytes: Samples = new Map(trainers.map((contestant) => [contestant, []]));
  const descriptions = new Set<string>();
  for (let round = 0; round < Math.min(plan.rounds, MOST_STARTS); round++) {
    for (const contestant of seconds.keys()) {
      if (round > 0 && contestant.startsSlowly) continue;
      plan.say(`process start: ${contestant.name}, round ${round + 1}`);
      const isDone = await unlessItFails(contestant, title, plan, async () => {
        const { description, secondsToFirstStep, peakBytes } = await startOnce(contestant, task, plan);
        descriptions.add(description);
        seconds.get(contestant)?.push(secondsToFirstStep);
        bytes.get(contestant)?.push(peakBytes);
      });
      if (isDone) continue;
      seconds.delete(contestant);
      bytes.delete(contestant);
    }
  }
  return {
    results: [
      resultOf(`from process start to the first ${title}`, "s", seconds),
      resultOf(`peak memory of the process, ${title}`, "bytes", bytes),
    ],
    descriptions: [...descriptions],
  };
}

interface Start {
  readonly description: string;
  readonly secondsToFirstStep: number;
  readonly peakBytes: number;
}

/** From the start of a process to its end. */
async function startOnce(contestant: Contestant, task: Task, plan: Plan): Promise<Start> {
  const participant = await Participant.start(contestant, task);
  try {
    for (let step = 0; step < WARM_UP_STEPS; step++) await participant.step();
    const { description, secondsToFirstStep } = participant;
    const peakBytes = await participant.peakBytes();
    await judge(participant, task, plan);
    return { description, secondsToFirstStep, peakBytes };
  } finally {
    await participant.stop();
  }
}

/** What was measured, ours first. */
type Samples = Map<Contestant, number[]>;

function resultOf(title: string, unit: Unit, samples: Samples): BenchResult {
  const [[, own], ...others] = samples;
  const peers = others.map(([{ name, counts }, samples]) => ({ name, counts, samples }));
  return benchResult(title, unit, own, peers);
}

async function taskOf(workload: WorkloadName, plan: Plan): Promise<Task> {
  const { batchSize = batchSizeOf(workload), peers, referee } = plan;
  // Ahead of everybody's start, for it takes our memory and may fail by our fault alone.
  if (peers.length > 0) await referee.expected(workload, batchSize);
  return { workload, batchSize, reference: await referee.reference(batchSize) };
}

/** Those that start and compute what we compute; we are the first. */
async function withParticipants(
  contestants: readonly Contestant[],
  workload: WorkloadName,
  title: string,
  plan: Plan,
  use: (participants: readonly Participant[]) => Promise<Outcome>,
): Promise<Outcome> {
  const task = await taskOf(workload, plan);
  const participants: Participant[] = [];
  try {
    for (const contestant of contestants.filter(({ workloads }) => workloads.includes(workload))) {
      plan.say(`${title}: starting ${contestant.name}`);
      await unlessItFails(contestant, title, plan, async () => participants.push(await enter(contestant, task, plan)));
    }
    return await use(participants);
  } finally {
    await Promise.all(participants.map((participant) => participant.stop()));
  }
}

async function enter(contestant: Contestant, task: Task, plan: Plan): Promise<Participant> {
  const participant = await Participant.start(contestant, task);
  try {
    await judge(participant, task, plan);
    return participant;
  } catch (error) {
    await participant.stop();
    throw error;
  }
}

async function judge(participant: Participant, { workload, batchSize }: Task, { referee }: Plan): Promise<void> {
  if (!participant.contestant.isOurs) await referee.judge(participant, workload, batchSize);
}

/** A peer that fails is left out with a line; resolves with whether the act was done. */
async function unlessItFails(
  contestant: Contestant,
  title: string,
  { warn }: Plan,
  act: () => Promise<unknown>,
): Promise<boolean> {
  try {
    await act();
    return true;
  } catch (error) {
    if (contestant.isOurs) throw error;
    warn(`${error instanceof Error ? error.message : String(error)}; left out of "${title}"`);
    return false;
  }
}

/** One step each, A B A B; resolves with the seconds of those that did all of theirs. */
async function takeTurns(participants: readonly Participant[], title: string, plan: Plan): Promise<Samples> {
  const samples: Samples = new Map(participants.map(({ contestant }) => [contestant, []]));
  const everybody = async (act: (participant: Participant) => Promise<void>): Promise<void> => {
    for (const participant of participants) {
      const { contestant } = participant;
      if (!samples.has(contestant)) continue;
      if (!(await unlessItFails(contestant, title, plan, () => act(participant)))) samples.delete(contestant);
    }
  };
  await everybody(async (participant) => {
    plan.say(`${title}: warming up ${participant.contestant.name}`);
    for (let step = 0; step < WARM_UP_STEPS; step++) await participant.step();
  });
  for (let round = 0; round < plan.rounds; round++) {
    plan.say(`${title}: round ${round + 1} of ${plan.rounds}`);
    await everybody(async (participant) => {
      await new Promise((resolve) => setTimeout(resolve, PAUSE_MS));
      samples.get(participant.contestant)?.push(await participant.step());
    });
  }
  return samples;
}
