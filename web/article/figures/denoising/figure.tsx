import { useComputed, useSignal, useSignalEffect } from "@preact/signals";
import { useEffect } from "preact/hooks";
import { Choice, Slider } from "../../../kit/controls.tsx";
import type { BodyProps, LiveFigure } from "../../../kit/figure.ts";
import { numberWithin, oneOf } from "../../../kit/link.ts";
import { useSetting } from "../../../kit/setting.ts";
import { drawerOfFigure } from "../common/page-data.ts";
import { batchFor } from "../parts/batch.ts";
import { PlayButton } from "../parts/play-button.tsx";
import { Tile } from "../parts/tile.tsx";
import { denoisingCode } from "./code.ts";
import { denoise } from "./model.ts";
import type { Frame } from "./model.ts";

const drawerOf = drawerOfFigure();
const STEPS = 20;

/** All moments of drawing, to go through as one likes. */
function Body({ context }: BodyProps) {
  const way = useSetting<"deterministic" | "stochastic">(
    context,
    "way",
    "deterministic",
    oneOf(["deterministic", "stochastic"]),
  );
  // At first, where something can be guessed.
  const step = useSetting(context, "step", STEPS / 2, numberWithin(0, STEPS));
  const frames = useSignal<readonly Frame[]>([]);
  const { seed } = context;
  const batchSize = batchFor(8);
  const settings = () => ({ seed: seed.value, steps: STEPS, eta: way.value === "stochastic" ? 1 : 0, batchSize });
  useEffect(() => context.offerCode(() => denoisingCode(settings())), [context]);
  useSignalEffect(() => {
    const wanted = settings();
    void context.run(async (turn) => {
      const drawer = await drawerOf(await turn.backend());
      const all = await denoise(drawer, wanted, turn.signal);
      turn.show(() => (frames.value = all));
    });
  });
  const frame = useComputed(() => frames.value.at(Math.min(step.value, frames.value.length - 1)));
  const [images, guess] = [frame.value?.images, frame.value?.guess];
  const time = step.value === STEPS ? "the end" : `t = ${frames.value.at(step.value + 1)?.timestep ?? 0}`;
  return (
    <>
      <Tile
        images={images}
        columns={batchSize}
        label={`${batchSize} pictures at ${time}`}
        caption={
          <>
            x<sub>t</sub>, the pictures at {time}
          </>
        }
      />
      <Tile
        images={guess}
        columns={batchSize}
        label="The clean pictures that the network sees in them"
        caption={
          <>
            x̂<sub>0</sub>, the clean pictures that the network saw in the step before
          </>
        }
      />
      <Slider label="step" value={step} min={0} max={STEPS} text={(value) => `${value} of ${STEPS}, ${time}`} />
      <div class="actions">
        <PlayButton value={step} max={STEPS} isSeen={context.isSeen} />
        <Choice
          label="Steps"
          value={way}
          options={[
            { value: "deterministic", label: "without noise (DDIM)" },
            { value: "stochastic", label: "with fresh noise (DDPM)" },
          ]}
        />
      </div>
    </>
  );
}

export const figure: LiveFigure = { title: "Drawing, moment by moment", Body, seed: 4 };
