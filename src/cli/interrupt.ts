export const EXIT_INTERRUPTED = 130;

/** Milliseconds in which a second signal is the first one once more: a terminal and npm may both send it. */
const ECHO_MS = 250;

/** Turns Ctrl-C into a request that a loop honours between two steps. */
export interface Interrupt {
  /** Aborted by the first Ctrl-C. */
  readonly signal: AbortSignal;
  /** Gives Ctrl-C its usual meaning back. */
  release(): void;
}

/** What asks to stop. Launchers of several processes pass on SIGUSR2, which Windows does not have. */
const SIGNALS: readonly NodeJS.Signals[] = [
  "SIGINT",
  "SIGTERM",
  ...(process.platform === "win32" ? [] : ["SIGUSR2" as const]),
];

/** A first Ctrl-C (or SIGTERM, or SIGUSR2) only aborts the signal; a second one ends the process at once. */
export function catchInterrupt(onFirst: () => void): Interrupt {
  const controller = new AbortController();
  let firstTime = Number.NEGATIVE_INFINITY;
  const handle = (): void => {
    if (performance.now() - firstTime < ECHO_MS) return;
    if (controller.signal.aborted) process.exit(EXIT_INTERRUPTED);
    firstTime = performance.now();
    controller.abort(new Error("interrupted"));
    onFirst();
  };
  for (const signal of SIGNALS) process.on(signal, handle);
  return {
    signal: controller.signal,
    release() {
      for (const signal of SIGNALS) process.off(signal, handle);
    },
  };
}
