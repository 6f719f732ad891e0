import { useSignal, useSignalEffect } from "@preact/signals";
import { useEffect, useMemo } from "preact/hooks";
import type { BetaSchedule, NdArray } from "unnoise";
import { Chart } from "../../../kit/pictures/chart.tsx";
import { Slider } from "../../../kit/controls.tsx";
import { instantBackend } from "../../../kit/device.ts";
import type { BodyProps, LiveFigure } from "../../../kit/figure.ts";
import { Pictures } from "../../../kit/pictures/pictures.tsx";
import { useLinked } from "../../../kit/setting.ts";
import { useUniqueId } from "../../../kit/unique-id.ts";
import { garmentBytes } from "../common/page-data.ts";
import { pictureOf } from "../common/picture-of.ts";
import { Noising } from "../noise/model.ts";
import { TIMESTEPS, linkTime, resetTime, schedule, setTimesteps, source, t, timesteps } from "../noise/state.ts";
import { schedulesCode } from "./code.ts";
import { COMPARED, sharesOf } from "./model.ts";

const noising = new Noising(instantBackend);
/** As papers write them. */
const TITLES: Partial<Record<BetaSchedule, string>> = { scaledLinear: "scaled linear" };

/** Six schedules, and one picture under all of them at the same time; the chosen one drives the noise slider too. */
function Body({ context }: BodyProps) {
  useLinked(context, linkTime);
  const seen = useSignal<readonly NdArray[]>([]);
  const name = useUniqueId();
  const series = useMemo(
    () =>
      COMPARED.map((schedule) => ({
        name: TITLES[schedule] ?? schedule,
        y: sharesOf(schedule, timesteps.value).picture,
      })),
    [timesteps.value],
  );
  useEffect(() => {
    context.offerCode(() => schedulesCode(timesteps.value, t.value));
    return resetTime;
  }, [context]);
  useSignalEffect(() => {
    const [of, time, count] = [source.value, t.value, timesteps.value];
    void context.run(async (turn) => {
      turn.uses(instantBackend);
      const picture = pictureOf(of, await garmentBytes());
      const all: NdArray[] = [];
      for (const schedule of COMPARED) {
        all.push(await noising.at(picture, { schedule, timesteps: count, t: time, seed: 1 }));
      }
      turn.show(() => (seen.value = all));
    });
  });
  return (
    <>
      <Chart
        label={`Share of the picture that is left over ${timesteps.value} timesteps, for ${series.map((s) => s.name).join(", ")}`}
        series={series}
        xLabel="timestep t"
        yLabel="share of the picture"
        yRange={[0, 1]}
        cursor={t.value}
        onPoint={(x) => (t.value = Math.round(x))}
      />
      <Slider
        label="time t"
        value={t}
        min={0}
        max={timesteps.value - 1}
        text={(value) => `${value} of ${timesteps.value}`}
      />
      <fieldset class="compared">
        <legend>The same picture and noise at this time. The one you choose is used above, too.</legend>
        {COMPARED.map((one, i) => (
          <label key={one} class={`colour-${i}`}>
            <input type="radio" name={name} checked={schedule.value === one} onChange={() => (schedule.value = one)} />
            <Pictures images={seen.value[i]} label="" padding={0} />
            <span class="key">{TITLES[one] ?? one}</span>
            <span class="share">{(100 * series[i].y[t.value]).toFixed(0)} %</span>
          </label>
        ))}
      </fieldset>
      <fieldset class="control choice">
        <legend>Steps in all</legend>
        {TIMESTEPS.map((count) => (
          <label key={count}>
            <input
              type="radio"
              name={`${name}-steps`}
              checked={timesteps.value === count}
              onChange={() => setTimesteps(count)}
            />
            <span>{count}</span>
          </label>
        ))}
      </fieldset>
    </>
  );
}

export const figure: LiveFigure = { title: "How fast the picture goes", Body };
