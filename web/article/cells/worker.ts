// The worker in which the cells of a page run, so that the page lives whatever they do, and can stop them.
import { formatLine } from "./format.ts";
import { pageLibrary } from "./library.ts";
import type { Output, Report, RunRequest } from "./messages.ts";
import { Program, faultOf } from "./program.ts";

let current = 0;

const report = (message: Report): void => self.postMessage(message);
const put = (output: Output): void => report({ kind: "output", cell: current, output });
const print = (...values: readonly unknown[]): void => put({ kind: "text", text: `${formatLine(values)}\n` });

Object.assign(console, { log: print, info: print, warn: print, error: print });
const program = new Program(pageLibrary(put));

self.addEventListener("message", ({ data }: MessageEvent<RunRequest>) => {
  const { cell, code } = data;
  current = cell;
  program.run(cell, code).then(
    () => report({ kind: "end", cell }),
    (error: unknown) => report({ kind: "fault", cell, fault: faultOf(error, cell) }),
  );
});
