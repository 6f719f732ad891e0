import type { MultiBar, SingleBar } from "cli-progress";
import { speaks } from "../ranks/ranks.ts";
import { formatDuration } from "./format.ts";
import { print } from "./print.ts";
import { printable } from "./printable.ts";

const SECONDS_BETWEEN_LINES = 5;

export interface TrainingStatus {
  readonly step: number;
  readonly loss: number;
  readonly imagesPerSecond: number;
  /** Undefined where it is too early to tell. */
  readonly secondsLeft: number | undefined;
}

/** Shows how a training run gets on: a live bar on a terminal, a plain line now and then elsewhere. */
export interface ProgressDisplay {
  show(status: TrainingStatus): void;
  /** Says in the bar what goes on besides training. */
  note(activity: string): void;
  /** Prints a line of its own without harming the bar. */
  say(line: string): void;
  stop(): void;
}

export async function progressDisplay(totalSteps: number, startStep: number): Promise<ProgressDisplay> {
  if (!process.stdout.isTTY || !speaks) return new PlainProgress(totalSteps);
  const { MultiBar } = await import("cli-progress");
  const bars = new MultiBar({
    format: "{bar} step {value}/{total} · {status}",
    barCompleteChar: "█",
    barIncompleteChar: "░",
    barsize: 18,
    hideCursor: false,
    // Ctrl-C is ours: the step is finished first.
    gracefulExit: false,
    stream: process.stdout,
  });
  return new BarProgress(bars, totalSteps, startStep);
}

class BarProgress implements ProgressDisplay {
  readonly #bars: MultiBar;
  readonly #bar: SingleBar;
  /** Gives the terminal its line wrapping back, also when a second Ctrl-C ends the process. */
  readonly #restoreTerminal = (): void => this.#bars.stop();

  constructor(bars: MultiBar, totalSteps: number, startStep: number) {
    this.#bars = bars;
    process.once("exit", this.#restoreTerminal);
    this.#bar = bars.create(totalSteps, startStep, { status: "" });
  }

  show(status: TrainingStatus): void {
    this.#bar.update(status.step, { status: partsOf(status).join(" · ") });
  }

  note(activity: string): void {
    this.#bar.update({ status: activity });
    // Now, and not by its timer: what follows may keep the thread busy.
    this.#bars.update();
  }

  say(line: string): void {
    this.#bars.log(`${printable(line)}\n`);
    this.#bars.update();
  }

  stop(): void {
    process.off("exit", this.#restoreTerminal);
    this.#bars.stop();
  }
}

class PlainProgress implements ProgressDisplay {
  readonly #totalSteps: number;
  #last = -Infinity;
  #unsaid: TrainingStatus | undefined;

  constructor(totalSteps: number) {
    this.#totalSteps = totalSteps;
  }

  show(status: TrainingStatus): void {
    const now = performance.now() / 1000;
    this.#unsaid = status;
    if (now - this.#last < SECONDS_BETWEEN_LINES) return;
    this.#last = now;
    this.#flush();
  }

  note(): void {}

  say(line: string): void {
    this.#flush();
    print(line);
  }

  stop(): void {
    this.#flush();
  }

  #flush(): void {
    if (this.#unsaid === undefined) return;
    const line = [`step ${this.#unsaid.step}/${this.#totalSteps}`, ...partsOf(this.#unsaid)].join("  ");
    this.#unsaid = undefined;
    print(line);
  }
}

function partsOf({ loss, imagesPerSecond, secondsLeft }: TrainingStatus): string[] {
  const rate = imagesPerSecond.toFixed(imagesPerSecond < 10 ? 1 : 0);
  const left = secondsLeft === undefined ? [] : [`${formatDuration(secondsLeft)} left`];
  return [`loss ${loss.toFixed(4)}`, `${rate} images/s`, ...left];
}

export interface ProgressBar {
  show(step: number): void;
  stop(): void;
}

/** A bar of sampling steps, or of other things by name, on a terminal; nothing elsewhere. */
export async function progressBar(steps: number, label = "step"): Promise<ProgressBar> {
  if (!process.stdout.isTTY || !speaks) return { show: () => {}, stop: () => {} };
  const { SingleBar } = await import("cli-progress");
  const bar = new SingleBar({
    format: `{bar} ${label} {value}/{total}`,
    barCompleteChar: "█",
    barIncompleteChar: "░",
    barsize: 24,
    hideCursor: false,
    gracefulExit: false,
    clearOnComplete: true,
    stream: process.stdout,
  });
  bar.start(steps, 0);
  const stop = (): void => {
    process.off("exit", stop);
    bar.stop();
  };
  process.once("exit", stop);
  return {
    show: (step) => {
      if (bar.isActive) bar.update(step);
    },
    stop,
  };
}
