import { benchResult } from "../../src/bench/result.ts";
import type { BenchResult, Unit } from "../../src/bench/result.ts";
import { DEFAULT_SIZE, batchSizeOf } from "../../src/bench/sizes.ts";
import type { SizeName } from "../../src/bench/sizes.ts";
import type { WorkloadName } from "../../src/bench/workload-names.ts";
import { Participant, takesPart } from "../contest/participant.ts";
import type { Contestant, Task } from "../contest/participant.ts";
import type { Plan } from "./plan.ts";

/** Steps beside the timed ones: optimisers of code and allocators have settled by then. */
export const WARM_UP_STEPS = 2;
/** Between two turns, so that threads of the last one that still spin come to rest. */
const PAUSE_MS = 50;

/** What was measured, ours first. */
export type Samples = Map<Contestant, number[]>;

export function resultOf(title: string, unit: Unit, samples: Samples): BenchResult {
  const [[, own], ...others] = samples;
  const peers = others.map(([{ name, counts }, samples]) => ({ name, counts, samples }));
  return benchResult(title, unit, own, peers);
}

export async function taskOf(workload: WorkloadName, plan: Plan, size: SizeName = DEFAULT_SIZE): Promise<Task> {
  const { batchSize = batchSizeOf(workload, size), peers, referee } = plan;
  const work = { workload, size, batchSize };
  // Ahead of everybody's start, for it takes our memory and may fail by our fault alone.
  if (peers.some((peer) => takesPart(peer, work))) await referee.expected(work);
  return { ...work, reference: await referee.reference(work) };
}

/** Those that start and compute what we compute; we are the first. */
export async function withParticipants<Result>(
  contestants: readonly Contestant[],
  task: Task,
  title: string,
  plan: Plan,
  use: (participants: readonly Participant[]) => Promise<Result>,
): Promise<Result> {
  const participants: Participant[] = [];
  try {
    for (const contestant of contestants.filter((contestant) => takesPart(contestant, task))) {
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

export async function judge(participant: Participant, task: Task, { referee }: Plan): Promise<void> {
  if (!participant.contestant.isOurs) await referee.judge(participant, task);
}

/** A peer that fails is left out with a line; resolves with whether the act was done. */
export async function unlessItFails(
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
export async function takeTurns(participants: readonly Participant[], title: string, plan: Plan): Promise<Samples> {
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
