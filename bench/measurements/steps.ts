import { DEFAULT_SIZE, titleOf } from "../../src/bench/sizes.ts";
import type { SizeName } from "../../src/bench/sizes.ts";
import type { WorkloadName } from "../../src/bench/workload-names.ts";
import { ours } from "../contest/contestants.ts";
import type { Outcome } from "./outcome.ts";
import type { Plan } from "./plan.ts";
import { profileAnswer } from "./profile-answer.ts";
import { resultOf, takeTurns, taskOf, withParticipants } from "./turns.ts";

interface Variant {
  readonly size?: SizeName;
  readonly simd?: 128;
  readonly suffix?: string;
}

/** Takes turns with the peers at the steps of a workload, then profiles our program. */
export async function compareSteps(
  workload: WorkloadName,
  plan: Plan,
  { size = DEFAULT_SIZE, simd, suffix = "" }: Variant = {},
): Promise<Outcome> {
  const title = `${titleOf(workload, plan.batchSize, size)}${suffix}`;
  const contestants = [ours({ threads: plan.threads, simd }), ...plan.peers];
  const task = await taskOf(workload, plan, size);
  return withParticipants(contestants, task, title, plan, async (participants) => {
    const seconds = await takeTurns(participants, title, plan);
    plan.say(`${title}: profile`);
    const profile = await participants[0].ask(profileAnswer, { request: "profile", rounds: plan.rounds });
    return {
      results: [resultOf(title, "s", seconds)],
      profiles: [{ ...profile, name: title }],
      descriptions: participants.map(({ description }) => description),
    };
  });
}

/** All threads against one. */
export async function compareThreads(plan: Plan): Promise<Outcome> {
  const { threads } = plan;
  const title = `${titleOf("train", plan.batchSize)}, ${threads} threads over one`;
  const contestants = [ours({ threads }), { ...ours({ threads: 1 }), name: "unnoise, 1 thread" }];
  const task = await taskOf("train", { ...plan, peers: [] });
  return withParticipants(contestants, task, title, plan, async (participants) => ({
    results: [resultOf(title, "s", await takeTurns(participants, title, plan))],
    profiles: [],
    descriptions: participants.map(({ description }) => description),
  }));
}
