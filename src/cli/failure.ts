const EXIT_FAILURE = 1;

/**
 * Says on stderr in one line what went wrong; with UNNOISE_DEBUG=1 in full.
 *
 * @returns the exit code
 */
export function report(error: unknown): number {
  process.stderr.write(`unnoise: ${process.env.UNNOISE_DEBUG === "1" ? inFull(error) : inOneLine(error)}\n`);
  return EXIT_FAILURE;
}

function inOneLine(error: unknown): string {
  const message = error instanceof Error && error.message !== "" ? error.message : String(error);
  return message.trim().split("\n", 1)[0] ?? "";
}

function inFull(error: unknown): string {
  if (!(error instanceof Error)) return String(error);
  const cause = error.cause === undefined ? "" : `\ncaused by ${inFull(error.cause)}`;
  return `${error.stack ?? error.message}${cause}`;
}
