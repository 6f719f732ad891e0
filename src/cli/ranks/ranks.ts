import { availableParallelism, cpus, hostname } from "node:os";
import { alone } from "../../training/collective/collective.ts";
import type { Collective } from "../../training/collective/collective.ts";
import { launcherOf } from "../../training/collective/mpi/launcher.ts";
import type { Launcher } from "../../training/collective/mpi/launcher.ts";
import type { MpiCollective } from "../../training/collective/mpi/mpi.node.ts";

/** The processes that a command runs in. */
export interface Ranks extends Collective {
  /** Waits until all have come here, however long one of them has something else to do. */
  meet(): Promise<void>;
}

const single: Ranks = { ...alone, meet: async () => {} };

/** Who started this process as one of several; undefined where it is the only one. */
export const launcher: Launcher | undefined = launcherOf(process.env);

/** Whether this process is the one that prints: the only one, or the first of several. */
export const speaks = launcher === undefined || launcher.rank === 0;

let joined: MpiCollective | undefined;

/**
 * Joins the processes that a launcher has started; without one there is nothing to join.
 *
 * @throws Error of one line if they cannot find each other: they must not all do the same work
 */
export async function joinRanks(): Promise<Ranks> {
  if (launcher === undefined) return single;
  const { MpiCollective } = await import("../../training/collective/mpi/mpi.node.ts");
  joined ??= await MpiCollective.open({ watchdogSeconds: watchdogSeconds() });
  // Processes of one machine share its processors, unless the launcher has given each its own.
  const { localSize = 1 } = launcher;
  if (!isBound()) process.env.UNNOISE_THREADS ??= String(Math.max(1, Math.floor(availableParallelism() / localSize)));
  return joined;
}

/**
 * Parts from the others before this process ends: with a failure of this one all of them end.
 *
 * @param code that this process ends with; one that is interrupted ends as the others do
 */
export async function leaveRanks(code: number, isFailure: boolean): Promise<void> {
  if (joined === undefined) return;
  if (isFailure) return joined.abort(code);
  await joined.meet();
  await joined.close();
}

/** What a message of this process begins with, where there are several: `rank 3 on node7: `. */
export function whoFails(): string {
  return launcher === undefined || speaks ? "" : `rank ${launcher.rank} on ${hostname()}: `;
}

/**
 * Lets the first process speak for all where all fail alike.
 *
 * @returns whether this one has something to say
 */
export async function turnToFail(): Promise<boolean> {
  if (launcher === undefined || speaks) return true;
  // What keeps a process from joining the others keeps those beside it from it, too.
  if (joined === undefined && launcher.localRank !== 0 && launcher.localRank !== undefined) return false;
  await new Promise((resolve) => setTimeout(resolve, 1000));
  return true;
}

/** One line for people: how many processes there are, and how they find each other. */
export function describeRanks({ size }: Ranks): string {
  return `${size} processes by ${joined?.description ?? "nothing"}${isBound() ? ", bound to processors by the launcher" : ""}`;
}

/** Whether the launcher has given this process only some of the processors. */
function isBound(): boolean {
  return availableParallelism() < cpus().length;
}

function watchdogSeconds(): number {
  const { UNNOISE_WATCHDOG: given } = process.env;
  if (given === undefined || given === "") return 600;
  const seconds = Number(given);
  if (Number.isInteger(seconds) && seconds >= 0 && seconds < 2 ** 21) return seconds;
  throw new Error(`UNNOISE_WATCHDOG must be a whole number of seconds from 0 to 2097151, got ${given}`);
}
