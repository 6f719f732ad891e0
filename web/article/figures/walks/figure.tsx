import { useComputed, useSignal, useSignalEffect } from "@preact/signals";
import { useEffect, useRef } from "preact/hooks";
import { Chart } from "../../../kit/pictures/chart.tsx";
import { Button, Choice } from "../../../kit/controls.tsx";
import type { BodyProps, LiveFigure } from "../../../kit/figure.ts";
import { instantBackend } from "../../../kit/device.ts";
import { oneOf } from "../../../kit/link.ts";
import { useSetting } from "../../../kit/setting.ts";
import { garmentOf } from "../common/garments.ts";
import { garmentBytes } from "../common/page-data.ts";
import { Tile } from "../parts/tile.tsx";
import { walksCode } from "./code.ts";
import { Walk, histogram, meanAndDeviation } from "./model.ts";
import type { Values } from "./model.ts";

const GARMENT = 1;
/** Where the pixel lies, and how bright it is. */
const PIXELS = { bright: 12 * 28 + 12, dark: 2 * 28 + 2, edge: 6 * 28 + 8 } as const;
type PixelName = keyof typeof PIXELS;
const TIMESTEPS = 1000;
const WALKS = 2000;
const [FROM, TO, BINS] = [-3, 3, 48];
/** Steps of a first look, so that there is something to see. */
const FIRST = 100;
const PER_FRAME = 10;

interface Seen {
  readonly steps: number;
  readonly walked: Values;
  readonly jumped: Values;
  readonly expected: { readonly mean: number; readonly deviation: number };
}

/** A thousand small steps and one jump, as pictures and as histograms of one pixel. */
function Body({ context }: BodyProps) {
  const pixel = useSetting<PixelName>(context, "pixel", "bright", oneOf(["bright", "edge", "dark"]));
  const seen = useSignal<Seen | undefined>(undefined);
  const isWalking = useSignal(false);
  const walk = useRef<Walk | undefined>(undefined);
  const settings = () => ({ timesteps: TIMESTEPS, walks: WALKS, seed: context.seed.value });
  useEffect(
    () => context.offerCode(() => walksCode(GARMENT, PIXELS[pixel.value], seen.value?.steps ?? FIRST, settings())),
    [context],
  );
  const look = async (at: Walk): Promise<Seen> => ({
    steps: at.steps,
    walked: at.walked(),
    jumped: await at.jumped(),
    expected: at.expected(),
  });
  useSignalEffect(() => {
    const [from, wanted] = [PIXELS[pixel.value], settings()];
    isWalking.value = false;
    void context.run(async (turn) => {
      const picture = garmentOf(await garmentBytes(), GARMENT);
      const started = new Walk(turn.uses(instantBackend), picture, from, wanted);
      walk.current = started;
      await started.advance(FIRST, turn.signal);
      const first = await look(started);
      turn.show(() => (seen.value = first));
    });
  });
  const go = async (): Promise<void> => {
    const at = walk.current;
    if (at === undefined) return;
    isWalking.value = true;
    await context.run(async (turn) => {
      while (at.steps < TIMESTEPS) {
        await at.advance(PER_FRAME, turn.signal);
        const next = await look(at);
        turn.show(() => (seen.value = next));
        await turn.next();
      }
    });
    isWalking.value = false;
  };
  const again = async (): Promise<void> => {
    await context.run(async (turn) => {
      const picture = garmentOf(await garmentBytes(), GARMENT);
      walk.current = new Walk(instantBackend, picture, PIXELS[pixel.value], settings());
      const start = await look(walk.current);
      turn.show(() => (seen.value = start));
    });
    await go();
  };
  const stop = (): void => {
    context.stop();
    isWalking.value = false;
  };
  const series = useComputed(() => {
    if (seen.value === undefined) return [];
    const { walked, jumped, expected } = seen.value;
    const width = (TO - FROM) / BINS;
    const centres = Float64Array.from({ length: BINS }, (_, i) => FROM + (i + 0.5) * width);
    const share = (values: Float32Array) => histogram(values, FROM, TO, BINS).map((count) => count / WALKS / width);
    const normal = centres.map(
      (x) =>
        Math.exp(-(((x - expected.mean) / expected.deviation) ** 2) / 2) /
        (expected.deviation * Math.sqrt(2 * Math.PI)),
    );
    return [
      { name: "small steps", x: centres, y: share(walked.pixel) },
      { name: "one jump", x: centres, y: share(jumped.pixel) },
      { name: "the formula", x: centres, y: expected.deviation > 0.02 ? normal : [], colour: 5 },
    ];
  });
  const steps = seen.value?.steps ?? 0;
  const describe = (values: Values | undefined): string => {
    if (values === undefined) return "";
    const { mean, deviation } = meanAndDeviation(values.pixel);
    return `mean ${mean.toFixed(2)}, deviation ${deviation.toFixed(2)}`;
  };
  return (
    <>
      <div class="beside">
        <div class="pair">
          <Tile
            images={seen.value?.walked.picture}
            label={`The picture after ${steps} small steps`}
            caption={`${steps} small steps`}
          />
          <Tile images={seen.value?.jumped.picture} label="The picture after one jump as far" caption="one jump" />
        </div>
        <Chart
          label={`Histograms of one pixel after ${steps} steps. Small steps: ${describe(seen.value?.walked)}. One jump: ${describe(seen.value?.jumped)}.`}
          series={series.value}
          xLabel="value of the pixel"
          yLabel="density"
          xRange={[FROM, TO]}
          height={220}
        />
      </div>
      <dl class="readout">
        <div>
          <dt>small steps</dt>
          <dd>{describe(seen.value?.walked)}</dd>
        </div>
        <div>
          <dt>one jump</dt>
          <dd>{describe(seen.value?.jumped)}</dd>
        </div>
      </dl>
      <div class="actions">
        {isWalking.value ? (
          <Button label="Pause" onPress={stop} isMain />
        ) : steps < TIMESTEPS ? (
          <Button label={`Walk on to ${TIMESTEPS}`} onPress={() => void go()} isMain />
        ) : (
          <Button label="Walk again" onPress={() => void again()} isMain />
        )}
        <Choice
          label="Pixel"
          value={pixel}
          options={[
            { value: "bright", label: "bright" },
            { value: "edge", label: "at the edge" },
            { value: "dark", label: "dark" },
          ]}
        />
      </div>
    </>
  );
}

export const figure: LiveFigure = { title: "A thousand small steps, and one jump", Body, seed: 0 };
