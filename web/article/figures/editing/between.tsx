import { useSignal, useSignalEffect } from "@preact/signals";
import { useEffect } from "preact/hooks";
import { sliceArray } from "unnoise";
import type { NdArray } from "unnoise";
import { Slider } from "../../../kit/controls.tsx";
import type { BodyProps, LiveFigure } from "../../../kit/figure.ts";
import { numberWithin } from "../../../kit/link.ts";
import { useSetting } from "../../../kit/setting.ts";
import { garmentKind, garmentOf } from "../common/garments.ts";
import { drawerOfFigure, garmentBytes } from "../common/page-data.ts";
import { GarmentPicker } from "../parts/garment-picker.tsx";
import { PlayButton } from "../parts/play-button.tsx";
import { Tile } from "../parts/tile.tsx";
import { betweenCode } from "./code.ts";
import { BETWEEN, walkBetween } from "./model.ts";

const drawerOf = drawerOfFigure();

/** From one garment to another, through the noise from which they come. */
function Body({ context }: BodyProps) {
  const from = useSetting(context, "from", 1, garmentKind);
  const to = useSetting(context, "to", 0, garmentKind);
  const place = useSetting(context, "place", (BETWEEN - 1) / 2, numberWithin(0, BETWEEN - 1));
  const seen = useSignal<NdArray | undefined>(undefined);
  useEffect(() => context.offerCode(() => betweenCode(from.value, to.value)), [context]);
  useSignalEffect(() => {
    const ends = [from.value, to.value];
    void context.run(async (turn) => {
      const bytes = await garmentBytes();
      const [first, last] = ends.map((index) => garmentOf(bytes, index));
      const images = await walkBetween(await drawerOf(await turn.backend()), first, last, turn.signal);
      turn.show(() => (seen.value = images));
    });
  });
  const share = (place.value / (BETWEEN - 1)) * 100;
  return (
    <>
      <div class="one-and-many">
        <Tile
          images={seen.value && sliceArray(seen.value, 0, place.value, place.value + 1)}
          label={`${share.toFixed(0)} % of the way`}
          caption={`${share.toFixed(0)} % of the way`}
        />
        <div class="stack">
          <Tile images={seen.value} columns={BETWEEN} label="All pictures on the way" caption="the whole way" />
          <Slider label="way" value={place} min={0} max={BETWEEN - 1} text={() => `${share.toFixed(0)} %`} />
          <div class="actions">
            <PlayButton value={place} max={BETWEEN - 1} isSeen={context.isSeen} />
          </div>
        </div>
      </div>
      <GarmentPicker legend="From" value={from} />
      <GarmentPicker legend="To" value={to} />
    </>
  );
}

export const figure: LiveFigure = { title: "A way between two garments", Body };
