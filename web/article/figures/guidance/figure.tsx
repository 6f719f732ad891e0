import { useSignal, useSignalEffect } from "@preact/signals";
import { useEffect } from "preact/hooks";
import type { NdArray } from "unnoise";
import { Slider, Toggle } from "../../../kit/controls.tsx";
import type { BodyProps, LiveFigure } from "../../../kit/figure.ts";
import { numberWithin, oneOf, yesOrNo } from "../../../kit/link.ts";
import { useSetting } from "../../../kit/setting.ts";
import { drawerOfFigure, shipped } from "../common/page-data.ts";
import { batchFor } from "../parts/batch.ts";
import { Select } from "../parts/select.tsx";
import { Tile } from "../parts/tile.tsx";
import { guidanceCode } from "./code.ts";
import { guided, variety } from "./model.ts";

const drawerOf = drawerOfFigure();
/** Lin et al. (2023) found this share best. */
const RESCALE = 0.7;
/** Numbers of classes; -1 for one of each. */
const CLASSES = Array.from({ length: 11 }, (_, i) => String(i - 1));

/** How far to go in the direction in which the class pulls. */
function Body({ context }: BodyProps) {
  const scale = useSetting(context, "scale", 3, numberWithin(0, 8, 0.5));
  const garment = useSetting(context, "class", "3", oneOf(CLASSES));
  const isRescaled = useSetting(context, "rescaled", false, yesOrNo);
  const names = useSignal<readonly string[]>([]);
  const seen = useSignal<NdArray | undefined>(undefined);
  const { seed } = context;
  const batchSize = batchFor(8);
  const settings = () => ({
    seed: seed.value,
    scale: scale.value,
    garment: Number(garment.value),
    rescale: isRescaled.value ? RESCALE : 0,
    batchSize,
  });
  useEffect(() => context.offerCode(() => guidanceCode(settings())), [context]);
  useSignalEffect(() => {
    const wanted = settings();
    void context.run(async (turn) => {
      const drawer = await drawerOf(await turn.backend());
      const images = await guided(drawer, wanted, turn.signal);
      const { classNames } = await shipped();
      turn.show(() => {
        names.value = classNames;
        seen.value = images;
      });
    });
  });
  const options = [
    ...names.value.map((label, i) => ({ value: String(i), label })),
    { value: "-1", label: "one of each" },
  ];
  return (
    <>
      <Tile
        images={seen.value}
        columns={batchSize}
        label={`${batchSize} garments with a guidance scale of ${scale.value}`}
        caption="from the same noise at every scale"
      />
      <Slider label="scale s" value={scale} min={0} max={8} step={0.5} text={(value) => value.toFixed(1)} />
      <div class="actions">
        <Select label="Class" value={garment} options={options} />
        <Toggle label={`give contrast back (φ = ${RESCALE})`} value={isRescaled} />
      </div>
      <dl class="readout">
        <div>
          <dt>how far the pictures are apart</dt>
          <dd>{seen.value && variety(seen.value).toFixed(2)}</dd>
        </div>
      </dl>
    </>
  );
}

export const figure: LiveFigure = { title: "Saying what to draw, and how firmly", Body, seed: 7 };
