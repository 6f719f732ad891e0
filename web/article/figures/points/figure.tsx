import { useSignal, useSignalEffect } from "@preact/signals";
import { useEffect, useRef } from "preact/hooks";
import { ndarray } from "unnoise";
import { Chart } from "../../../kit/pictures/chart.tsx";
import { Button, Slider } from "../../../kit/controls.tsx";
import type { BodyProps, FigureTurn, LiveFigure } from "../../../kit/figure.ts";
import { numberWithin, oneOf } from "../../../kit/link.ts";
import type { Kind } from "../../../kit/link.ts";
import { useSetting } from "../../../kit/setting.ts";
import { Select } from "../parts/select.tsx";
import { runningMeans } from "../parts/running-means.ts";
import { pointsCode } from "./code.ts";
import { POINTS, PointLearner, TIMESTEPS } from "./model.ts";
import { Plane } from "./plane.tsx";
import { pointsOf, shapeNames } from "./shapes.ts";
import type { ShapeName } from "./shapes.ts";

const OWN = "your own";
/** How long the network trains before it is looked at again. */
const STEPS_PER_LOOK = 25;
const MOST_STEPS = 3000;
/** The reader's own points are in no link. */
const shapeKind: Kind<string> = { ...oneOf(shapeNames), write: (name) => (name === OWN ? undefined : name) };

interface Look {
  readonly losses: readonly number[];
  readonly drawn: Float32Array;
  readonly arrows: { readonly from: Float32Array; readonly to: Float32Array };
}

/** A small network that learns where points lie, while one watches. */
function Body({ context }: BodyProps) {
  const shape = useSetting<string>(context, "shape", "spiral", shapeKind);
  const own = useSignal<readonly number[]>([]);
  const t = useSetting(context, "t", 30, numberWithin(0, TIMESTEPS - 1));
  const look = useSignal<Look | undefined>(undefined);
  const isTraining = useSignal(false);
  const learner = useRef<PointLearner | undefined>(undefined);
  const { seed } = context;
  const points = (): Float32Array<ArrayBuffer> =>
    shape.value === OWN
      ? Float32Array.from(own.value)
      : Float32Array.from(pointsOf(shape.value as ShapeName, POINTS, 1).data);
  const forget = (): void => {
    learner.current?.dispose();
    learner.current = undefined;
  };
  useEffect(() => {
    context.offerCode(() => pointsCode(points(), seed.value, Math.max(look.value?.losses.length ?? 0, 600)));
    context.show();
    const unsubscribe = seed.subscribe(() => {
      stop();
      forget();
      look.value = undefined;
    });
    return () => {
      unsubscribe();
      forget();
    };
  }, [context]);
  const see = async (turn: FigureTurn, of: PointLearner, time: number): Promise<void> => {
    const [arrows, drawn] = [await of.arrows(time), await of.sample(20, turn.signal)];
    turn.show(() => (look.value = { arrows, drawn, losses: of.losses.slice() }));
  };
  const train = async (): Promise<void> => {
    if (points().length === 0) return;
    isTraining.value = true;
    await context.run(async (turn) => {
      const given = points();
      const data = ndarray(given, [given.length / 2, 2]);
      learner.current ??= new PointLearner(await turn.backend(), data, seed.value);
      const trained = learner.current;
      trained.use(data);
      const last = trained.losses.length + MOST_STEPS;
      while (trained.losses.length < last) {
        await trained.train(STEPS_PER_LOOK, turn.signal);
        await see(turn, trained, t.value);
        await turn.next();
      }
    });
    isTraining.value = false;
  };
  const stop = (): void => {
    if (isTraining.value) context.stop();
    isTraining.value = false;
  };
  // Other points or another time: what is seen follows, also while it trains.
  useSignalEffect(() => {
    const [given, time] = [points(), t.value];
    const trained = learner.current;
    if (trained === undefined || given.length === 0) return;
    trained.use(ndarray(given, [given.length / 2, 2]));
    if (!isTraining.peek()) void context.run((turn) => see(turn, trained, time));
  });
  const draw = (x: number, y: number): void => {
    if (shape.value !== OWN) {
      own.value = [];
      shape.value = OWN;
    }
    own.value = [...own.value, x, y].slice(-2 * POINTS);
  };
  const losses = look.value?.losses ?? [];
  const means = runningMeans(losses, 50);
  return (
    <>
      <div class="beside wide-left">
        <Plane
          points={points()}
          drawn={look.value?.drawn}
          arrows={look.value?.arrows}
          onDraw={draw}
          label={`The plane with the points of ${shape.value}, and what the network draws after ${losses.length} steps`}
        />
        <div class="stack">
          <p class="legend">
            <span class="key points-key">points to learn</span>
            <span class="key colour-1">what the network draws</span>
          </p>
          <Chart
            label={`Loss after ${losses.length} steps: ${means.at(-1)?.toFixed(5) ?? "none yet"}`}
            series={[
              { name: "each step", y: losses, colour: 5, isFaint: true },
              { name: "mean of the last 50", y: means, colour: 0 },
            ]}
            xLabel="step"
            yLabel="loss"
            yRange={[0, Math.max(1, ...losses)]}
            height={200}
          />
          <Slider label="arrows at" value={t} min={0} max={TIMESTEPS - 1} text={(value) => `t = ${value}`} />
          <div class="actions">
            {isTraining.value ? (
              <Button label="Pause" onPress={stop} isMain />
            ) : (
              <Button label={losses.length === 0 ? "Train" : "Train on"} onPress={() => void train()} isMain />
            )}
            <Select
              label="Points"
              value={shape}
              options={[...shapeNames, OWN].map((name) => ({ value: name, label: name }))}
            />
            {shape.value === OWN && <Button label="Clear" onPress={() => (own.value = [])} />}
          </div>
        </div>
      </div>
    </>
  );
}

export const figure: LiveFigure = { title: "Draw points, and watch a network learn them", Body, seed: 0 };
