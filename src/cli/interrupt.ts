const EXIT_INTERRUPTED = 130;

/** Turns Ctrl-C into a request that a loop can honour between two steps. */
export interface Interrupt {
  readonly requested: boolean;
  readonly exitCode: number;
  /** Gives Ctrl-C its usual meaning back. */
  release(): void;
}

/** A first Ctrl-C (or SIGTERM) only sets `requested`; a second one ends the process at once. */
export function catchInterrupt(onFirst: () => void): Interrupt {
  let requested = false;
  const handle = (): void => {
    if (requested) process.exit(EXIT_INTERRUPTED);
    requested = true;
    onFirst();
  };
  process.on("SIGINT", handle);
  process.on("SIGTERM", handle);
  return {
    get requested() {
      return requested;
    },
    exitCode: EXIT_INTERRUPTED,
    release() {
      process.off("SIGINT", handle);
      process.off("SIGTERM", handle);
    },
  };
}
