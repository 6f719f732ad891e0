import type { BenchResult } from "../../src/bench/result.ts";
import { batchSizeOf, sizes, titleOf } from "../../src/bench/sizes.ts";
import type { SizeName } from "../../src/bench/sizes.ts";
import { ours } from "../contest/contestants.ts";
import type { Participant } from "../contest/participant.ts";
import type { Outcome } from "./outcome.ts";
import type { Plan } from "./plan.ts";
import { profileAnswer } from "./profile-answer.ts";
import { resultOf, takeTurns, taskOf, unlessItFails, withParticipants } from "./turns.ts";
import type { Samples } from "./turns.ts";

/**
 * A row of the table of sizes: turns at the training step and at the forward pass, with those peers whose numbers are as
 * precise as ours, and the memory of the processes that train.
 */
export async function compareSize(size: SizeName, given: Plan): Promise<Outcome> {
  const plan = { ...given, peers: given.peers.filter(({ counts }) => counts) };
  const train = await compareAt("train", size, plan);
  const forward = await compareAt("forward", size, plan);
  const title = `${sizes[size].title}, batch ${plan.batchSize ?? batchSizeOf("forward", size)}`;
  return {
    results: [train.seconds, train.memory, forward.seconds],
    profiles: [...train.profiles, ...forward.profiles],
    descriptions: [...train.descriptions, ...forward.descriptions],
    row: { size, title, train: train.seconds, forward: forward.seconds, memory: train.memory },
  };
}

interface Comparison extends Pick<Outcome, "profiles" | "descriptions"> {
  readonly seconds: BenchResult;
  readonly memory: BenchResult;
}

async function compareAt(workload: "train" | "forward", size: SizeName, plan: Plan): Promise<Comparison> {
  const title = titleOf(workload, plan.batchSize, size);
  const task = await taskOf(workload, plan, size);
  const contestants = [ours({ threads: plan.threads }), ...plan.peers];
  return withParticipants(contestants, task, title, plan, async (participants) => {
    const seconds = await takeTurns(participants, title, plan);
    const remaining = participants.filter(({ contestant }) => seconds.has(contestant));
    const memory = resultOf(`peak memory of the process, ${title}`, "bytes", await peaksOf(remaining, title, plan));
    const request = { request: "profile", rounds: plan.rounds };
    const profiles = plan.profilesSizes
      ? [{ ...(await participants[0].ask(profileAnswer, request)), name: title }]
      : [];
    const descriptions = participants.map(({ description }) => description);
    return { seconds: resultOf(title, "s", seconds), memory, profiles, descriptions };
  });
}

async function peaksOf(participants: readonly Participant[], title: string, plan: Plan): Promise<Samples> {
  const peaks: Samples = new Map();
  for (const participant of participants) {
    const { contestant } = participant;
    await unlessItFails(contestant, title, plan, async () => peaks.set(contestant, [await participant.peakBytes()]));
  }
  return peaks;
}
