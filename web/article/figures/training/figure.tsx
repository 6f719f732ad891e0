import { useComputed, useSignal } from "@preact/signals";
import { useEffect, useRef } from "preact/hooks";
import { ndarray, fromBytes } from "unnoise";
import type { NdArray } from "unnoise";
import { Chart } from "../../../kit/pictures/chart.tsx";
import { Button, Slider } from "../../../kit/controls.tsx";
import type { BodyProps, LiveFigure } from "../../../kit/figure.ts";
import { oneOf } from "../../../kit/link.ts";
import { useSetting } from "../../../kit/setting.ts";
import { SMALL_SIDE } from "../common/garment-sizes.ts";
import { batchFor } from "../parts/batch.ts";
import { runningMeans } from "../parts/running-means.ts";
import { Select } from "../parts/select.tsx";
import { Tile } from "../parts/tile.tsx";
import { trainingCode } from "./code.ts";
import { kinds, smallGarments } from "./kinds.ts";
import type { Kind } from "./kinds.ts";
import { GarmentLearner } from "./model.ts";

/** Steps from preview to preview. */
const PREVIEW_EVERY = 20;
const STEPS_MORE = 400;

interface Preview {
  readonly step: number;
  readonly images: NdArray;
}

/** A U-Net that learns garments in the page. */
function Body({ context }: BodyProps) {
  const kind = useSetting<string>(context, "garment", kinds[0].name, oneOf(kinds.map(({ name }) => name)));
  const losses = useSignal<readonly number[]>([]);
  const previews = useSignal<readonly Preview[]>([]);
  const examples = useSignal<NdArray | undefined>(undefined);
  const shown = useSignal(0);
  const isTraining = useSignal(false);
  const learner = useRef<GarmentLearner | undefined>(undefined);
  const count = batchFor(8);
  const { seed } = context;
  const labelOf = (): number => kinds.find(({ name }) => name === kind.value)?.label ?? 0;

  const stop = (): void => {
    if (isTraining.value) context.stop();
    isTraining.value = false;
  };
  const forget = (): void => {
    stop();
    learner.current?.dispose();
    learner.current = undefined;
    losses.value = [];
    previews.value = [];
    shown.value = 0;
  };
  useEffect(() => {
    context.offerCode(() => trainingCode(labelOf(), seed.value, Math.max(losses.value.length, STEPS_MORE)));
    context.show();
    const stops = [seed.subscribe(forget), kind.subscribe(forget)];
    return () => {
      for (const unsubscribe of stops) unsubscribe();
      forget();
    };
  }, [context]);

  const train = async (): Promise<void> => {
    isTraining.value = true;
    await context.run(async (turn) => {
      const bytes = await smallGarments(kind.value as Kind);
      learner.current ??= new GarmentLearner(await turn.backend(), bytes, seed.value);
      const trained = learner.current;
      turn.show(() => {
        examples.value = ndarray(fromBytes(bytes.subarray(0, count * SMALL_SIDE ** 2)), [
          count,
          SMALL_SIDE,
          SMALL_SIDE,
          1,
        ]);
      });
      await trained.train(trained.losses.length + STEPS_MORE, async () => {
        turn.show(() => (losses.value = trained.losses.slice()));
        if (trained.losses.length % PREVIEW_EVERY === 0) {
          const images = await trained.sample(count, turn.signal);
          turn.show(() => {
            const isFollowing = shown.value >= previews.value.length - 1;
            previews.value = [...previews.value, { step: trained.losses.length, images }];
            if (isFollowing) shown.value = previews.value.length - 1;
          });
        }
        await turn.next();
      });
    });
    isTraining.value = false;
  };
  const save = (): Promise<boolean> =>
    context.run(async (turn) => {
      if (learner.current === undefined) return;
      const file = await learner.current.file();
      turn.show(() => download(new Blob([file]), "small-garments.safetensors"));
    });

  const preview = useComputed(() => previews.value.at(Math.min(shown.value, previews.value.length - 1)));
  const means = runningMeans(losses.value, 20);
  const steps = losses.value.length;
  return (
    <>
      <div class="beside">
        <div class="stack">
          <Tile
            images={preview.value?.images}
            columns={count / 2}
            rows={2}
            label={`${count} pictures that the network draws after ${preview.value?.step ?? 0} steps`}
            caption={preview.value ? `what it draws after ${preview.value.step} steps` : "what it draws: nothing yet"}
          />
          {previews.value.length > 1 && (
            <Slider
              label="back in time"
              value={shown}
              min={0}
              max={previews.value.length - 1}
              text={(value) => `step ${previews.value.at(value)?.step ?? 0}`}
            />
          )}
          {examples.value && (
            <Tile
              images={examples.value}
              columns={count}
              label="Garments that it learns from"
              caption="what it learns from"
            />
          )}
        </div>
        <Chart
          label={`Loss after ${steps} steps: ${means.at(-1)?.toFixed(5) ?? "none yet"}`}
          series={[
            { name: "each step", y: losses.value, colour: 5, isFaint: true },
            { name: "mean of the last 20", y: means, colour: 0 },
          ]}
          xLabel="step"
          yLabel="loss"
          yRange={[0, Math.max(0.6, ...losses.value)]}
          height={220}
        />
      </div>
      <div class="actions">
        {isTraining.value ? (
          <Button label="Pause" onPress={stop} isMain />
        ) : (
          <Button
            label={steps === 0 ? "Train" : `Train ${STEPS_MORE} steps more`}
            onPress={() => void train()}
            isMain
          />
        )}
        <Select label="Garment" value={kind} options={kinds.map(({ name }) => ({ value: name, label: name }))} />
        {steps > 0 && !isTraining.value && <Button label="Save the network" onPress={() => void save()} />}
      </div>
      {steps > 0 && !isTraining.value && (
        <p class="hint">
          The file is a checkpoint like any other: <code>unnoise sample --checkpoint small-garments.safetensors</code>{" "}
          draws with it.
        </p>
      )}
    </>
  );
}

function download(content: Blob, name: string): void {
  const link = document.createElement("a");
  link.href = URL.createObjectURL(content);
  link.download = name;
  link.click();
  setTimeout(() => URL.revokeObjectURL(link.href), 60_000);
}

export const figure: LiveFigure = { title: "Train a network here", Body, seed: 0 };
