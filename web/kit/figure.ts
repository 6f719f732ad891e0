import { signal } from "@preact/signals";
import type { ReadonlySignal, Signal } from "@preact/signals";
import type { ComponentType } from "preact";
import type { Backend } from "unnoise";
import { numberWithin } from "./link.ts";
import type { FigureLink } from "./link.ts";
import type { Lane, Turn } from "./scheduler.ts";

/** Seeds go from 0 up to this. */
export const SEEDS = 2 ** 32;

/** What a figure's module exports as `figure`. */
export interface LiveFigure {
  /** In the frame's head. */
  readonly title: string;
  /** The pictures and controls. It is mounted anew on Reset, with a new context, so its state is in hooks and signals. */
  readonly Body: ComponentType<BodyProps>;
  /** Where there is chance: the seed at first. The frame then has a field for it, and "other seed". */
  readonly seed?: number | undefined;
}

export interface BodyProps {
  readonly context: FigureContext;
}

/** `compiling` lasts from the start of work until its first `show`. */
export type FigureState = "idle" | "compiling" | "running" | "error";

/** A turn on the page's device, with the device. */
export interface FigureTurn extends Turn {
  /** The page's shared backend, in a worker. Cache compiled programs and models per backend. */
  backend(): Promise<Backend>;
  /** Says in the frame what it computes on, where that is not the page's shared backend. */
  uses(backend: Backend): Backend;
  /**
   * Draws a result, unless the turn was aborted meanwhile: then it throws the signal's reason, which ends the work. The
   * first time, the live figure takes the place of its still.
   */
  show(draw: () => void): void;
}

/** What the frame gives to a figure's body. */
export class FigureContext {
  readonly seed: Signal<number>;
  /** Whether the figure is on screen and not hidden with its tab: what moves by itself moves only then. */
  readonly isSeen: ReadonlySignal<boolean>;
  /** Whether the reader asks for less motion: then nothing starts to move by itself. */
  readonly isStill: boolean = matchMedia("(prefers-reduced-motion: reduce)").matches;
  /** Whether the body has taken the place of the still picture. */
  readonly isLive = signal(false);
  readonly state = signal<FigureState>("idle");
  /** One line, of the last work that failed. */
  readonly fault = signal("");
  /** What it computes on, for the frame's foot. */
  readonly device = signal("");
  /** What the frame's "Copy as code" copies. */
  readonly code = signal<(() => string) | undefined>(undefined);
  /** Its settings as a link; `useSetting` puts them there. */
  readonly link: FigureLink;
  readonly #lane: Lane;

  /** @param seed the first one, where there is chance */
  constructor(lane: Lane, isSeen: ReadonlySignal<boolean>, link: FigureLink, seed?: number) {
    this.#lane = lane;
    this.isSeen = isSeen;
    this.link = link;
    this.seed = signal(seed ?? 0);
    if (seed !== undefined) link.bind("seed", this.seed, numberWithin(0, SEEDS - 1));
  }

  /**
   * Runs work when it is the figure's turn; the latest wins. Faults are shown by the frame.
   *
   * @example
   * useSignalEffect(() => {
   *   const t = value.value;
   *   void context.run(async (turn) => {
   *     const picture = await compute(await turn.backend(), t);
   *     turn.show(() => drawImages(canvas, picture));
   *   });
   * });
   * @returns whether it came to its end; false if it failed, or something newer replaced it
   */
  async run(work: (turn: FigureTurn) => Promise<void>): Promise<boolean> {
    try {
      const isDone = await this.#lane.run((turn) => {
        this.state.value = this.isLive.value ? "running" : "compiling";
        this.fault.value = "";
        return work(this.#turn(turn));
      });
      if (isDone) this.state.value = "idle";
      return isDone;
    } catch (error) {
      this.state.value = "error";
      this.fault.value = error instanceof Error ? error.message : String(error);
      return false;
    }
  }

  /** For what takes no time, and for figures that wait for the reader: the body takes the place of the still. */
  show(): void {
    this.isLive.value = true;
  }

  /** Stops what the figure does, at the reader's wish. */
  stop(): void {
    this.#lane.cancel();
    this.state.value = "idle";
  }

  /** What "Copy as code" copies: a program in TypeScript that does the same in Node, with the reader's settings. */
  offerCode(code: () => string): void {
    this.code.value = code;
  }

  #turn(turn: Turn): FigureTurn {
    const { signal } = turn;
    const uses = (backend: Backend): Backend => {
      this.device.value = backend.description;
      return backend;
    };
    return {
      signal,
      next: () => turn.next(),
      // The library comes with it, which a figure that shows what is there need not wait for.
      backend: async () => uses(await (await import("./device.ts")).pageBackend()),
      uses,
      show: (draw) => {
        signal.throwIfAborted();
        draw();
        this.show();
        this.state.value = "running";
      },
    };
  }
}
