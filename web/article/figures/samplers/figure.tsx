import { useSignal, useSignalEffect } from "@preact/signals";
import { useEffect } from "preact/hooks";
import type { NdArray } from "unnoise";
import { Choice } from "../../../kit/controls.tsx";
import type { BodyProps, LiveFigure } from "../../../kit/figure.ts";
import { oneOf } from "../../../kit/link.ts";
import { useSetting } from "../../../kit/setting.ts";
import { drawerOfFigure } from "../common/page-data.ts";
import { batchFor } from "../parts/batch.ts";
import { Tile } from "../parts/tile.tsx";
import { samplersCode } from "./code.ts";
import { drawWay, ways } from "./model.ts";

const drawerOf = drawerOfFigure();
const COUNTS = ["3", "5", "10", "20", "50"] as const;

interface Row {
  readonly images: NdArray;
  readonly seconds: number;
}

/** The same noise, and four ways to walk from it. */
function Body({ context }: BodyProps) {
  const steps = useSetting<(typeof COUNTS)[number]>(context, "steps", "10", oneOf(COUNTS));
  const rows = useSignal<readonly (Row | undefined)[]>([]);
  const { seed } = context;
  const batchSize = batchFor(8);
  const settings = () => ({ seed: seed.value, steps: Number(steps.value), batchSize });
  useEffect(() => context.offerCode(() => samplersCode(settings())), [context]);
  useSignalEffect(() => {
    const wanted = settings();
    void context.run(async (turn) => {
      const drawer = await drawerOf(await turn.backend());
      for (const [i, way] of ways.entries()) {
        const start = performance.now();
        const images = await drawWay(drawer, way, wanted, turn.signal);
        const row = { images, seconds: (performance.now() - start) / 1000 };
        turn.show(() => (rows.value = ways.map((_, k) => (k === i ? row : rows.value[k]))));
        await turn.next();
      }
    });
  });
  return (
    <>
      <Choice
        label="Evaluations of the network"
        value={steps}
        options={COUNTS.map((value) => ({ value, label: value }))}
      />
      {ways.map(({ name, idea }, i) => (
        <Tile
          key={name}
          images={rows.value[i]?.images}
          columns={batchSize}
          label={`${batchSize} garments by ${name} in ${steps.value} steps`}
          caption={
            <>
              <b>{name}</b>: {idea}
            </>
          }
        />
      ))}
    </>
  );
}

export const figure: LiveFigure = { title: "Four ways from the same noise", Body, seed: 1 };
