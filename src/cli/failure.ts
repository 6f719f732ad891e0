import { complain } from "./output/print.ts";

export const EXIT_FAILURE = 1;
/** Characters of a line: more than these is the output of some other program. */
const LONGEST = 4000;

/**
 * Says on stderr in one line what went wrong; with UNNOISE_DEBUG=1 in full.
 *
 * @param who fails, where there are several processes: `rank 3 on node7: `
 * @returns the exit code
 */
export function report(error: unknown, who = ""): number {
  if (process.env.UNNOISE_DEBUG === "1") for (const line of inFull(error).split("\n")) complain(`${who}${line}`);
  else complain(`unnoise: ${who}${inOneLine(error)}`);
  return EXIT_FAILURE;
}

function inOneLine(error: unknown): string {
  const message = error instanceof Error && error.message !== "" ? error.message : String(error);
  // Line breaks too are shown: they may be those of a name, before what is said of it.
  return message.trim().slice(0, LONGEST);
}

function inFull(error: unknown): string {
  if (!(error instanceof Error)) return String(error);
  const cause = error.cause === undefined ? "" : `\ncaused by ${inFull(error.cause)}`;
  return `${error.stack ?? error.message}${cause}`;
}
