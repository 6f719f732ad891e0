import { DEFAULT_SIZE, titleOf } from "../../src/bench/sizes.ts";
import { ours } from "../contest/contestants.ts";
import { Participant, takesPart } from "../contest/participant.ts";
import type { Contestant, Task } from "../contest/participant.ts";
import type { Outcome } from "./outcome.ts";
import type { Plan } from "./plan.ts";
import { WARM_UP_STEPS, judge, resultOf, taskOf, unlessItFails } from "./turns.ts";
import type { Samples } from "./turns.ts";

const MOST_STARTS = 3;

interface Variant {
  /** Without programs that were compiled earlier. */
  readonly isCold?: boolean;
}

/** Starts everybody afresh, one after the other: how long until the first step is done, and how much memory it takes. */
export async function compareProcesses(plan: Plan, { isCold = false }: Variant = {}): Promise<Outcome> {
  const task = await taskOf("train", plan, DEFAULT_SIZE);
  const title = titleOf("train", task.batchSize);
  const suffix = isCold ? ", nothing compiled before" : "";
  const everybody = [ours({ threads: plan.threads, isCached: !isCold }), ...plan.peers];
  const trainers = everybody.filter((contestant) => takesPart(contestant, task));
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
      resultOf(`from process start to the first ${title}${suffix}`, "s", seconds),
      resultOf(`peak memory of the process, ${title}${suffix}`, "bytes", bytes),
    ],
    profiles: [],
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
