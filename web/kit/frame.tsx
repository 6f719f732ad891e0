import { signal, useComputed, useSignal, useSignalEffect } from "@preact/signals";
import type { ReadonlySignal } from "@preact/signals";
import { render } from "preact";
import { useEffect, useMemo } from "preact/hooks";
import { FigureContext, SEEDS } from "./figure.ts";
import type { FigureState, LiveFigure } from "./figure.ts";
import { FigureLink } from "./link.ts";
import type { Lane, Scheduler } from "./scheduler.ts";

interface FrameProps {
  /** The id of its place in the page. */
  readonly anchor: string;
  readonly figure: LiveFigure;
  readonly lane: Lane;
  readonly isSeen: ReadonlySignal<boolean>;
  /** Called when the live figure can take the place of its still. */
  readonly onLive: () => void;
}

/** Puts a live figure into its place, beside the still picture that it will take the place of. */
export function mountFrame(place: HTMLElement, figure: LiveFigure, scheduler: Scheduler): void {
  const lane = scheduler.lane();
  const isSeen = signal(false);
  const observer = new IntersectionObserver(
    (entries) => {
      const { intersectionRect } = entries[entries.length - 1];
      lane.visibility = intersectionRect.width * intersectionRect.height;
      isSeen.value = lane.visibility > 0;
    },
    { threshold: [0, 0.25, 0.5, 0.75, 1] },
  );
  observer.observe(place);
  const root = document.createElement("div");
  place.prepend(root);
  const onLive = (): void => place.classList.add("is-live");
  render(<Frame anchor={place.id} figure={figure} lane={lane} isSeen={isSeen} onLive={onLive} />, root);
}

const STATES: Readonly<Record<FigureState, string>> = {
  idle: "",
  compiling: "preparing …",
  running: "computing …",
  error: "",
};

/** What every live figure has around it: title, seed, Reset, state, device, its link, "Copy as code". */
export function Frame({ anchor, figure, lane, isSeen, onLive }: FrameProps) {
  const round = useSignal(0);
  const { title, seed: firstSeed, Body } = figure;
  const context = useMemo(() => {
    // Reset gives back what the figure started with of itself.
    const link = new FigureLink(location.href, anchor, round.value === 0);
    return new FigureContext(lane, isSeen, link, firstSeed);
  }, [round.value]);
  useEffect(() => () => lane.cancel(), [context]);
  useSignalEffect(() => {
    if (context.isLive.value) onLive();
  });
  const isReady = useComputed(() => context.isLive.value || context.state.value === "error" || round.value > 0);
  return (
    <div class="frame" data-state={context.state.value} data-live={context.isLive.value}>
      <div class="frame-head">
        <p class="frame-title">{title}</p>
        {firstSeed !== undefined && <Seed context={context} />}
        <button type="button" class="quiet" onClick={() => (round.value += 1)}>
          Reset
        </button>
      </div>
      <div class={isReady.value ? "frame-body" : "frame-body waits"} key={round.value}>
        <Body context={context} />
      </div>
      {context.fault.value !== "" && (
        <p class="fault" role="alert">
          {context.fault.value}
        </p>
      )}
      <p class="frame-foot">
        <span>{context.device.value}</span> <span class="state">{STATES[context.state.value]}</span>
        <span class="copies">
          <Copy label="Copy link" textOf={() => context.link.address} />
          {context.code.value && <Copy label="Copy as code" textOf={context.code.value} />}
        </span>
      </p>
    </div>
  );
}

function Seed({ context }: { readonly context: FigureContext }) {
  const { seed } = context;
  return (
    <span class="seed">
      <label>
        seed{" "}
        <input
          type="number"
          min={0}
          max={SEEDS - 1}
          step={1}
          value={seed.value}
          onChange={({ currentTarget }) => {
            const wanted = currentTarget.valueAsNumber;
            if (Number.isInteger(wanted) && wanted >= 0 && wanted < SEEDS) seed.value = wanted;
            else currentTarget.value = String(seed.value);
          }}
        />
      </label>
      <button type="button" class="quiet" onClick={() => (seed.value = (seed.value + 1) % SEEDS)}>
        Another
      </button>
    </span>
  );
}

interface CopyProps {
  readonly label: string;
  readonly textOf: () => string;
}

function Copy({ label, textOf }: CopyProps) {
  const said = useSignal("");
  const copy = async (): Promise<void> => {
    try {
      await navigator.clipboard.writeText(textOf());
      said.value = "Copied";
    } catch {
      said.value = "Not allowed here";
    }
    setTimeout(() => (said.value = ""), 2000);
  };
  return (
    <button type="button" class="quiet" onClick={() => void copy()} aria-live="polite">
      {said.value || label}
    </button>
  );
}
