import type { LiveFigure } from "./figure.ts";
import { Scheduler } from "./scheduler.ts";

/** Live figures by name: the module of each is loaded when its place in the page comes near. */
export type FigureRegistry = Readonly<Record<string, () => Promise<{ readonly figure: LiveFigure }>>>;

/** How far below or above the window a figure is loaded. */
const NEAR = "200px";

/**
 * Brings the figures of a page to life. Each has a place there, `<figure data-figure="name">` with a picture of class
 * `still`, which stays until the live figure has something to show, and for good if that cannot be loaded.
 */
export function mountFigures(figures: FigureRegistry): void {
  const scheduler = new Scheduler();
  const pauseIfHidden = (): void => {
    scheduler.isPaused = document.hidden;
  };
  document.addEventListener("visibilitychange", pauseIfHidden);
  pauseIfHidden();
  for (const place of document.querySelectorAll<HTMLElement>("[data-figure]")) {
    const load = figures[place.dataset.figure ?? ""];
    if (load === undefined) continue;
    whenNear(place, async () => {
      try {
        const [{ figure }, { mountFrame }] = await Promise.all([load(), import("./frame.tsx")]);
        mountFrame(place, figure, scheduler);
      } catch (error) {
        place.dataset.fault = "could not be loaded; this is its still picture";
        console.warn(`figure ${place.dataset.figure}:`, error);
      }
    });
  }
}

function whenNear(place: HTMLElement, act: () => Promise<void>): void {
  const observer = new IntersectionObserver(
    (entries) => {
      if (!entries.some(({ isIntersecting }) => isIntersecting)) return;
      observer.disconnect();
      void act();
    },
    { rootMargin: NEAR },
  );
  observer.observe(place);
}
