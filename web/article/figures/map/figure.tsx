import { useEffect, useRef } from "preact/hooks";
import { Choice } from "../../../kit/controls.tsx";
import type { BodyProps, LiveFigure } from "../../../kit/figure.ts";
import { oneOf } from "../../../kit/link.ts";
import { useSetting } from "../../../kit/setting.ts";
import { mapCode } from "./code.ts";
import { articleUnet, blocksOf, mapOf } from "./model.ts";
import type { BlockKind, UnetBlock, UnetMap } from "./model.ts";

const KINDS: Readonly<Record<BlockKind, { readonly name: string; readonly letter: string; readonly does: string }>> = {
  time: {
    name: "time embedding",
    letter: "t",
    does: "Makes of the time a row of numbers that every residual block is told.",
  },
  convolution: {
    name: "convolution",
    letter: "C",
    does: "Gives each pixel other channels, and looks at most at its neighbours.",
  },
  residual: {
    name: "residual block",
    letter: "R",
    does: "Two convolutions with normalization and SiLU, told the time, and a shortcut around them.",
  },
  attention: { name: "attention", letter: "A", does: "Every pixel listens to every other." },
  size: { name: "change of size", letter: "↕", does: "Halves or doubles the sides of the picture." },
};

type Measure = "kind" | "parameters" | "flops";

/** Made when the figure comes near; nothing is computed, but two million weights are drawn. */
let known: UnetMap | undefined;

/** The U-Net as a map. Hovering or the keyboard asks a block what it is. */
function Body({ context }: BodyProps) {
  known ??= mapOf(articleUnet(), 28);
  const map = known;
  const blocks = blocksOf(map);
  const chosen = useSetting(context, "block", "downs.0.0", oneOf(blocks.map(({ name }) => name)));
  const measure = useSetting<Measure>(context, "fill", "kind", oneOf(["kind", "parameters", "flops"]));
  const root = useRef<HTMLDivElement>(null);
  useEffect(() => {
    context.offerCode(() => mapCode());
    context.show();
  }, [context]);
  const most = Math.max(...blocks.map((block) => amount(block, measure.value)));
  const box = (block: UnetBlock) => {
    const { letter, name } = KINDS[block.kind];
    return (
      <button
        key={block.name}
        type="button"
        data-name={block.name}
        class={`block kind-${block.kind}`}
        aria-pressed={chosen.value === block.name}
        aria-label={`${block.name}, ${name}`}
        tabIndex={chosen.value === block.name ? 0 : -1}
        style={measure.value === "kind" ? undefined : { "--filled": `${(100 * amount(block, measure.value)) / most}%` }}
        onPointerEnter={({ pointerType }) => pointerType === "mouse" && (chosen.value = block.name)}
        onFocus={() => (chosen.value = block.name)}
        onClick={() => (chosen.value = block.name)}
      >
        {letter}
      </button>
    );
  };
  const move = (event: KeyboardEvent): void => {
    const from = blocks.findIndex(({ name }) => name === chosen.value);
    const to = {
      ArrowRight: from + 1,
      ArrowDown: from + 1,
      ArrowLeft: from - 1,
      ArrowUp: from - 1,
      Home: 0,
      End: blocks.length - 1,
    };
    const next = blocks.at(to[event.key as keyof typeof to] ?? NaN);
    if (!(event.key in to) || next === undefined || to[event.key as keyof typeof to] < 0) return;
    event.preventDefault();
    root.current?.querySelector<HTMLElement>(`[data-name="${next.name}"]`)?.focus();
  };
  const block = blocks.find(({ name }) => name === chosen.value) ?? blocks[0];
  return (
    <>
      <div
        class={`unet by-${measure.value}`}
        ref={root}
        onKeyDown={move}
        role="group"
        aria-label="The blocks of the U-Net; arrow keys go along the way of a picture"
      >
        <div class="floor">
          <div class="half">{[map.time, map.first].map(box)}</div>
          <div class="half end">{map.last.map(box)}</div>
        </div>
        {map.levels.map(({ side, down, up }) => (
          <div class="floor" key={side}>
            <div class="half">{down.map(box)}</div>
            <span class="handed-on" aria-hidden="true">
              {side} × {side}
            </span>
            <div class="half end">{up.map(box)}</div>
          </div>
        ))}
        <div class="floor middle">
          <div class="half">{map.middle.map(box)}</div>
        </div>
      </div>
      <div class="about" aria-live="polite">
        <p>
          <code>{block.name}</code> <b>{KINDS[block.kind].name}</b>. {KINDS[block.kind].does}
        </p>
        <dl class="readout">
          <div>
            <dt>gives</dt>
            <dd>{block.shape.join(" × ")}</dd>
          </div>
          <div>
            <dt>parameters</dt>
            <dd>
              {block.parameters.toLocaleString("en-US")} ({percent(block.parameters, map.parameters)})
            </dd>
          </div>
          <div>
            <dt>operations</dt>
            <dd>
              {(block.flops / 1e6).toFixed(1)} M ({percent(block.flops, map.flops)})
            </dd>
          </div>
        </dl>
      </div>
      <Choice
        label="Fill by"
        value={measure}
        options={[
          { value: "kind", label: "kind" },
          { value: "parameters", label: "parameters" },
          { value: "flops", label: "operations" },
        ]}
      />
    </>
  );
}

function amount({ parameters, flops }: UnetBlock, measure: Measure): number {
  return measure === "parameters" ? parameters : measure === "flops" ? flops : 1;
}

function percent(part: number, whole: number): string {
  return `${((100 * part) / whole).toFixed(1)} %`;
}

export const figure: LiveFigure = { title: "The U-Net as a map", Body };
