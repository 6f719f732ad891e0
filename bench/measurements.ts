import { benchResult } from "../src/bench/result.ts";
import type { BenchResult, PeerSamples } from "../src/bench/result.ts";
import { batchSizeOf, titleOf } from "../src/bench/workload.ts";
import type { WorkloadName } from "../src/bench/workload-names.ts";
import type { ProgramProfile } from "../src/bench/measure-profile.ts";
import { ours } from "./contestants.ts";
import { Participant } from "./participant.ts";
import type { Contestant } from "./participant.ts";
import { profileAnswer } from "./profile-answer.ts";

export interface Plan {
  readonly threads: number;
  readonly peers: readonly Contestant[];
  readonly rounds: number;
  /** Instead of each workload's own. */
  readonly batchSize: number | undefined;
  /** Told what happens, for people who wait. */
  readonly say: (line: string) => void;
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
    const [own, ...others] = await takeTurns(participants, title, plan);
    plan.say(`${title}: profile`);
    const profile = await participants[0].ask(profileAnswer, { request: "profile", rounds: plan.rounds });
    const peers = others.map((samples, i) => samplesOf(plan.peers[i], samples));
    return {
      results: [benchResult(title, "s", own, peers)],
      profile: { ...profile, name: title },
      descriptions: participants.map(({ description }) => description),
    };
  });
}

/** All threads against one. */
async function compareThreads(plan: Plan): Promise<Outcome> {
  const { threads } = plan;
  const title = `${titleOf("train", plan.batchSize)}, ${threads} threads over one`;
  const one = { ...ours({ threads: 1 }), name: "unnoise, 1 thread" };
  return withParticipants([ours({ threads }), one], "train", title, plan, async (participants) => {
    const [all, single] = await takeTurns(participants, title, plan);
    return {
      results: [benchResult(title, "s", all, [samplesOf(one, single)])],
      descriptions: participants.map(({ description }) => description),
    };
  });
}

/** Starts everybody afresh, one after the other: how long until the first step is done, and how much memory it takes. */
async function compareProcesses(plan: Plan): Promise<Outcome> {
  const contestants = [ours({ threads: plan.threads }), ...plan.peers];
  const batchSize = plan.batchSize ?? batchSizeOf("train");
  const title = titleOf("train", batchSize);
  const seconds: number[][] = contestants.map(() => []);
  const bytes: number[][] = contestants.map(() => []);
  const descriptions = new Set<string>();
  for (let round = 0; round < Math.min(plan.rounds, MOST_STARTS); round++) {
    for (const [i, contestant] of contestants.entries()) {
      if (round > 0 && contestant.startsSlowly) continue;
      plan.say(`process start: ${contestant.name}, round ${round + 1}`);
      const participant = await Participant.start(contestant, "train", batchSize);
      try {
        descriptions.add(participant.description);
        seconds[i].push(participant.secondsToFirstStep);
        for (let step = 0; step < WARM_UP_STEPS; step++) await participant.step();
        bytes[i].push(await participant.peakBytes());
      } finally {
        await participant.stop();
      }
    }
  }
  const against = (samples: readonly number[][]): PeerSamples[] =>
    plan.peers.map((peer, i) => samplesOf(peer, samples[i + 1]));
  return {
    results: [
      benchResult(`from process start to the first ${title}`, "s", seconds[0], against(seconds)),
      benchResult(`peak memory of the process, ${title}`, "bytes", bytes[0], against(bytes)),
    ],
    descriptions: [...descriptions],
  };
}

function samplesOf({ name, counts }: Contestant, samples: readonly number[]): PeerSamples {
  return { name, counts, samples };
}

async function withParticipants(
  contestants: readonly Contestant[],
  workload: WorkloadName,
  title: string,
  { batchSize = batchSizeOf(workload), say }: Plan,
  use: (participants: readonly Participant[]) => Promise<Outcome>,
): Promise<Outcome> {
  const participants: Participant[] = [];
  try {
    for (const contestant of contestants) {
      say(`${title}: starting ${contestant.name}`);
      participants.push(await Participant.start(contestant, workload, batchSize));
    }
    return await use(participants);
  } finally {
    await Promise.all(participants.map((participant) => participant.stop()));
  }
}

/** One step each, A B A B; resolves with each one's seconds. */
async function takeTurns(
  participants: readonly Participant[],
  title: string,
  { rounds, say }: Plan,
): Promise<number[][]> {
  for (const participant of participants) {
    say(`${title}: warming up ${participant.name}`);
    for (let step = 0; step < WARM_UP_STEPS; step++) await participant.step();
  }
  const samples: number[][] = participants.map(() => []);
  for (let round = 0; round < rounds; round++) {
    say(`${title}: round ${round + 1} of ${rounds}`);
    for (const [i, participant] of participants.entries()) {
      await new Promise((resolve) => setTimeout(resolve, PAUSE_MS));
      samples[i].push(await participant.step());
    }
  }
  return samples;
}
