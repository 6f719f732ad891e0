import { useSignal, useSignalEffect } from "@preact/signals";
import { useEffect } from "preact/hooks";
import type { NdArray } from "unnoise";
import { Slider } from "../../../kit/controls.tsx";
import type { BodyProps, LiveFigure } from "../../../kit/figure.ts";
import { numberWithin } from "../../../kit/link.ts";
import { useSetting } from "../../../kit/setting.ts";
import { garmentKind, garmentOf } from "../common/garments.ts";
import { garmentBytes, shipped } from "../common/page-data.ts";
import { perBackend } from "../common/per-backend.ts";
import { GarmentPicker } from "../parts/garment-picker.tsx";
import { Tile } from "../parts/tile.tsx";
import { guessCode } from "./code.ts";
import { Guesser, distance } from "./model.ts";
import type { Guess } from "./model.ts";

const guesserOf = perBackend(async (backend) => {
  const { model, newDiffusion } = await shipped();
  return new Guesser(backend, newDiffusion(), model);
});

interface Seen extends Guess {
  readonly t: number;
  readonly picture: NdArray;
}

/** One question to the network, at any time. */
function Body({ context }: BodyProps) {
  const garment = useSetting(context, "garment", 0, garmentKind);
  const t = useSetting(context, "t", 500, numberWithin(0, 999));
  const seen = useSignal<Seen | undefined>(undefined);
  const { seed } = context;
  useEffect(() => context.offerCode(() => guessCode({ garment: garment.value }, t.value, seed.value)), [context]);
  useSignalEffect(() => {
    const [index, time, of] = [garment.value, t.value, seed.value];
    void context.run(async (turn) => {
      const picture = garmentOf(await garmentBytes(), index);
      const guess = await (await guesserOf(await turn.backend())).at(picture, time, of);
      turn.show(() => (seen.value = { ...guess, picture, t: time }));
    });
  });
  const error = seen.value && distance(seen.value.clean, seen.value.picture);
  return (
    <>
      <div class="tiles four">
        <Tile
          images={seen.value?.noisy}
          label={`The noisy picture at t = ${seen.value?.t ?? t.value}`}
          caption={
            <>
              x<sub>t</sub>, which it sees
            </>
          }
        />
        <Tile
          images={seen.value?.noise}
          label="The noise that the network sees in it"
          caption="the noise that it sees"
        />
        <Tile images={seen.value?.clean} label="The clean picture that this means" caption="the picture that is left" />
        <Tile images={seen.value?.picture} label="The picture as it was" caption="as it was" />
      </div>
      <Slider label="time t" value={t} min={0} max={999} text={(value) => `${value} of 1000`} />
      <dl class="readout">
        <div>
          <dt>its picture is off by</dt>
          <dd>{error?.toFixed(2)}</dd>
        </div>
      </dl>
      <GarmentPicker legend="Picture" value={garment} />
    </>
  );
}

export const figure: LiveFigure = { title: "One guess of the network", Body, seed: 3 };
