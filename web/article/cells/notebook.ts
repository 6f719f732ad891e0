import { signal } from "@preact/signals";
import type { Signal } from "@preact/signals";
import type { Output, Report, RunRequest } from "./messages.ts";

export type CellState = "idle" | "waiting" | "running" | "done" | "fault";

/** One cell as the page shows it. */
export interface Cell {
  /** From 1. */
  readonly number: number;
  /** As the text has it. */
  readonly original: string;
  /** What it printed there. */
  readonly printed: string;
  readonly code: Signal<string>;
  readonly state: Signal<CellState>;
  /** What it put out when it was last run; undefined before. */
  readonly outputs: Signal<readonly Output[] | undefined>;
  readonly fault: Signal<string>;
  /** Of its last run. */
  readonly seconds: Signal<number>;
}

/** Texts in a row are one; more characters than this are not kept, as of a cell that prints without end. */
const MOST_TEXT = 20_000;

/** The cells of a page, which are one program, and the worker that runs it. */
export class Notebook {
  readonly cells: readonly Cell[];
  #worker: Worker | undefined;
  /** Code of the cells that have run in this worker, from the first on. */
  #ran: string[] = [];
  /** Settles the run of the cell that is running. */
  #settle: ((isDone: boolean) => void) | undefined;

  constructor(cells: readonly { readonly code: string; readonly printed: string }[]) {
    this.cells = cells.map(({ code, printed }, i) => ({
      number: i + 1,
      original: code,
      printed,
      code: signal(code),
      state: signal<CellState>("idle"),
      outputs: signal<readonly Output[] | undefined>(undefined),
      fault: signal(""),
      seconds: signal(0),
    }));
  }

  get isRunning(): boolean {
    return this.#settle !== undefined;
  }

  /** Runs a cell, and before it those that have not run yet or have changed since. One run at a time: others are ignored. */
  async run(number: number): Promise<void> {
    if (this.isRunning) return;
    const stale = this.cells.findIndex(({ code }, i) => this.#ran.at(i) !== code.value);
    const first = stale < 0 ? number : Math.min(stale + 1, number);
    const due = this.cells.slice(first - 1, number);
    for (const cell of due) cell.state.value = "waiting";
    for (const cell of due) {
      if (!(await this.#runOne(cell))) break;
    }
    for (const cell of due) if (cell.state.value === "waiting") cell.state.value = "idle";
  }

  /** Ends whatever runs, an endless loop too; the program then starts anew. */
  stop(): void {
    this.#worker?.terminate();
    this.#worker = undefined;
    this.#ran = [];
    this.#settle?.(false);
  }

  async #runOne(cell: Cell): Promise<boolean> {
    const start = performance.now();
    const code = cell.code.value;
    this.#ran.length = Math.min(this.#ran.length, cell.number - 1);
    cell.state.value = "running";
    cell.outputs.value = [];
    cell.fault.value = "";
    const isDone = await new Promise<boolean>((resolve) => {
      this.#settle = resolve;
      const request: RunRequest = { cell: cell.number, code };
      this.#worker ??= this.#start();
      this.#worker.postMessage(request);
    });
    this.#settle = undefined;
    cell.seconds.value = (performance.now() - start) / 1000;
    if (isDone) this.#ran[cell.number - 1] = code;
    if (cell.state.peek() === "running") cell.state.value = isDone ? "done" : "idle";
    return isDone;
  }

  #start(): Worker {
    const worker = new Worker(new URL("./worker.ts", import.meta.url), { type: "module" });
    worker.addEventListener("message", ({ data }: MessageEvent<Report>) => this.#take(data));
    worker.addEventListener("error", ({ message }) => {
      const running = this.cells.find(({ state }) => state.value === "running");
      if (running !== undefined) this.#fail(running, message || "the worker that runs cells could not be loaded");
    });
    return worker;
  }

  #take(report: Report): void {
    const cell = this.cells[report.cell - 1];
    if (report.kind === "output") cell.outputs.value = withOutput(cell.outputs.value ?? [], report.output);
    else if (report.kind === "end") this.#settle?.(true);
    else this.#fail(cell, report.fault);
  }

  #fail(cell: Cell, fault: string): void {
    cell.state.value = "fault";
    cell.fault.value = fault;
    this.#settle?.(false);
  }
}

function withOutput(outputs: readonly Output[], output: Output): readonly Output[] {
  const last = outputs.at(-1);
  if (output.kind !== "text" || last?.kind !== "text") return [...outputs, output];
  return [...outputs.slice(0, -1), { kind: "text", text: (last.text + output.text).slice(-MOST_TEXT) }];
}
