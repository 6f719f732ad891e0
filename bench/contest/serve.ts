import { readFileSync } from "node:fs";
import { createInterface } from "node:readline";
import { z } from "zod";
import { check } from "../../src/config/rules.ts";

/** What a process that takes part can be asked, by the name of the request. */
export type Answers = Readonly<Record<string, (request: unknown) => Promise<unknown>>>;

export interface Service {
  /** One line for people: what it runs on. */
  readonly description: string;
  readonly answers: Answers;
}

const request = z.looseObject({ request: z.string() });

/** Says that it is ready and answers requests until the input ends: see Participant for the lines. */
export async function serve(name: string, start: () => Promise<Service>): Promise<never> {
  try {
    const { description, answers } = await start();
    say({ ready: { description } });
    for await (const line of createInterface({ input: process.stdin })) {
      const asked = check(request, JSON.parse(line), "request");
      const answer = asked.request === "memory" ? peakMemory : answers[asked.request];
      if (!answer) throw new Error(`${name} knows no request "${asked.request}"`);
      say(await answer(asked));
    }
  } catch (error) {
    say({ error: error instanceof Error ? error.message.split("\n", 1)[0] : String(error) });
    process.exit(1);
  }
  process.exit(0);
}

function say(message: unknown): void {
  process.stdout.write(`${JSON.stringify(message)}\n`);
}

/** The most memory that this process had resident. */
async function peakMemory(): Promise<{ bytes: number }> {
  if (process.platform !== "linux") return { bytes: 1024 * process.resourceUsage().maxRSS };
  const [, kilobytes] = /VmHWM:\s*(\d+) kB/.exec(readFileSync("/proc/self/status", "utf8")) ?? [];
  return { bytes: 1024 * Number(kilobytes) };
}
