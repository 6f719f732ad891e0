import { useSignal, useSignalEffect } from "@preact/signals";
import { useEffect } from "preact/hooks";
import type { NdArray } from "unnoise";
import { Slider } from "../../../kit/controls.tsx";
import type { BodyProps, LiveFigure } from "../../../kit/figure.ts";
import { numberWithin } from "../../../kit/link.ts";
import { useSetting } from "../../../kit/setting.ts";
import type { PictureSource } from "../common/code.ts";
import { garmentSource } from "../common/garments.ts";
import { drawerOfFigure, garmentBytes } from "../common/page-data.ts";
import { pictureOf } from "../common/picture-of.ts";
import { batchFor } from "../parts/batch.ts";
import { SourceChooser } from "../parts/source-chooser.tsx";
import { Tile } from "../parts/tile.tsx";
import { strengthCode } from "./code.ts";
import { vary } from "./model.ts";

const drawerOf = drawerOfFigure();

/** Variations of a garment or of a drawing: noise up to a point, and back. */
function Body({ context }: BodyProps) {
  const source = useSetting<PictureSource>(context, "garment", { garment: 18 }, garmentSource);
  const percent = useSetting(context, "strength", 60, numberWithin(0, 100, 5));
  const seen = useSignal<{ readonly picture: NdArray; readonly images: NdArray } | undefined>(undefined);
  const { seed } = context;
  const batchSize = batchFor(8);
  const settings = () => ({ seed: seed.value, strength: percent.value / 100, batchSize });
  useEffect(() => context.offerCode(() => strengthCode(source.value, settings())), [context]);
  useSignalEffect(() => {
    const [wanted, of] = [settings(), source.value];
    void context.run(async (turn) => {
      const picture = pictureOf(of, await garmentBytes());
      const images = await vary(await drawerOf(await turn.backend()), picture, wanted, turn.signal);
      turn.show(() => (seen.value = { picture, images }));
    });
  });
  return (
    <>
      <div class="one-and-many">
        <Tile images={seen.value?.picture} label="The picture to begin with" caption="from this" />
        <Tile
          images={seen.value?.images}
          columns={batchSize / 2}
          rows={2}
          label={`${batchSize} variations of it with strength ${percent.value} %`}
          caption={`${batchSize} variations`}
        />
      </div>
      <Slider label="strength" value={percent} min={0} max={100} step={5} text={(value) => `${value} %`} />
      <SourceChooser source={source} own={{ side: 28, channels: 1 }} />
    </>
  );
}

export const figure: LiveFigure = { title: "From a picture: a little noise, and back", Body, seed: 5 };
