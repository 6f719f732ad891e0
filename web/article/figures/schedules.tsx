import { useSignal } from "@preact/signals";
import { useEffect } from "preact/hooks";
import { betaSchedule, noiseSchedule } from "unnoise";
import type { BetaSchedule } from "unnoise";
import { Chart } from "../../kit/chart.tsx";
import { Slider } from "../../kit/controls.tsx";
import type { BodyProps, LiveFigure } from "../../kit/figure.ts";

const TIMESTEPS = 300;
const NAMES: readonly BetaSchedule[] = ["linear", "quadratic", "sigmoid", "cosine"];

const series = NAMES.map((name) => ({ name, y: noiseSchedule(betaSchedule(name, TIMESTEPS)).sqrtAlphasCumprod }));

/** What is left of the picture at the cursor, for each schedule. */
function Body({ context }: BodyProps) {
  const t = useSignal(150);
  useEffect(() => {
    context.offerCode(
      () => `import { betaSchedule, noiseSchedule } from "unnoise";

for (const name of ${JSON.stringify(NAMES)} as const) {
  const { sqrtAlphasCumprod } = noiseSchedule(betaSchedule(name, ${TIMESTEPS}));
  console.log(name, sqrtAlphasCumprod[${t.value}]);
}
`,
    );
    context.show();
  }, [context]);
  return (
    <>
      <Chart
        label={`Share of the picture that is left, over ${TIMESTEPS} timesteps, for ${NAMES.join(", ")}`}
        series={series}
        xLabel="timestep"
        yLabel="share of the picture"
        yRange={[0, 1]}
        cursor={t.value}
        onPoint={(x) => (t.value = Math.round(x))}
      />
      <Slider label="timestep" value={t} min={0} max={TIMESTEPS - 1} />
      <dl class="readout">
        {series.map(({ name, y }) => (
          <div key={name}>
            <dt>{name}</dt>
            <dd>{(100 * y[t.value]).toFixed(0)} %</dd>
          </div>
        ))}
      </dl>
    </>
  );
}

export const figure: LiveFigure = { title: "How fast the picture goes", Body };
