import { button, element, say } from "./elements.ts";

/** Work that takes time; a signal tells it to stop. */
export type Work = (signal: AbortSignal) => Promise<void>;

let running: { readonly starter: HTMLButtonElement | undefined; readonly stop: AbortController } | undefined;

/**
 * Does one thing at a time. A fault is shown in one line at its place, which is the control that asked for the work.
 * Nothing is disabled meanwhile, which would take the keyboard's focus away.
 *
 * @returns whether the work came to its end
 */
export async function attempt(faultId: string, work: Work, starter?: HTMLButtonElement): Promise<boolean> {
  if (running) {
    showFault(faultId, new Error("This waits for what is running: stop that first, or let it end."));
    return false;
  }
  for (const fault of document.querySelectorAll<HTMLElement>(".fault")) fault.hidden = true;
  running = { starter, stop: new AbortController() };
  const { signal } = running.stop;
  markButtons(starter);
  try {
    await work(signal);
    return !signal.aborted;
  } catch (error) {
    if (!signal.aborted) showFault(faultId, error);
    return false;
  } finally {
    running = undefined;
    markButtons();
  }
}

/** Makes a button start some work and, while that runs, stop it. */
export function startsAndStops(id: string, faultId: string, work: Work): () => Promise<boolean> {
  const starter = button(id);
  return async () => {
    if (running === undefined || running.starter !== starter) return attempt(faultId, work, starter);
    running.stop.abort();
    say("news", "stopped");
    return false;
  };
}

/** The button of the work that runs says so, and the others look as if they wait. */
function markButtons(starter?: HTMLButtonElement): void {
  for (const candidate of document.querySelectorAll<HTMLButtonElement>("button[data-name]")) {
    const isStarter = candidate === starter;
    candidate.textContent = isStarter ? "Stop" : (candidate.dataset.name ?? "");
    candidate.ariaDisabled = String(running !== undefined && !isStarter);
  }
  document.body.ariaBusy = String(running !== undefined);
}

function showFault(id: string, error: unknown): void {
  const fault = element(id, HTMLElement);
  fault.textContent = error instanceof Error ? error.message : String(error);
  fault.hidden = false;
  fault.scrollIntoView({ block: "nearest" });
}
