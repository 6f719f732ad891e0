import { useSignal, useSignalEffect } from "@preact/signals";
import { useEffect } from "preact/hooks";
import { fromBytes, ndarray } from "unnoise";
import type { NdArray } from "unnoise";
import { Button, Slider } from "../../../kit/controls.tsx";
import type { BodyProps, LiveFigure } from "../../../kit/figure.ts";
import { numberWithin } from "../../../kit/link.ts";
import { useSetting } from "../../../kit/setting.ts";
import { GARMENTS, SIDE } from "../common/garment-sizes.ts";
import { garmentKind, garmentOf } from "../common/garments.ts";
import { garmentBytes, shipped } from "../common/page-data.ts";
import { perBackend } from "../common/per-backend.ts";
import { Guesser } from "../guess/model.ts";
import { batchFor } from "../parts/batch.ts";
import { GarmentPicker } from "../parts/garment-picker.tsx";
import { Tile } from "../parts/tile.tsx";
import { perfectCode } from "./code.ts";
import { PerfectDenoiser, PerfectGuesser, copiesOf, drawPerfect } from "./model.ts";
import type { PerfectGuess, PerfectSettings } from "./model.ts";
import { World } from "./world.tsx";

const guessers = perBackend(async (backend) => {
  const { model, newDiffusion } = await shipped();
  const world = ndarray(fromBytes(await garmentBytes()), [GARMENTS, SIDE, SIDE, 1]);
  const diffusion = newDiffusion();
  const perfect = new PerfectDenoiser(world, diffusion);
  return {
    world,
    draw: (settings: PerfectSettings, signal: AbortSignal) =>
      drawPerfect(perfect, { diffusion, backend }, settings, signal),
    perfect: new PerfectGuesser(backend, diffusion, perfect),
    learned: new Guesser(backend, diffusion, model),
  };
});

interface Seen extends PerfectGuess {
  readonly learned: NdArray;
}

/** The best possible denoiser of 64 pictures beside a network that was trained on others. */
function Body({ context }: BodyProps) {
  const garment = useSetting(context, "garment", 0, garmentKind);
  const t = useSetting(context, "t", 700, numberWithin(0, 999));
  const seen = useSignal<Seen | undefined>(undefined);
  const drawn = useSignal<{ readonly images: NdArray; readonly copies: readonly number[] } | undefined>(undefined);
  const { seed } = context;
  useEffect(() => context.offerCode(() => perfectCode(garment.value, t.value, seed.value)), [context]);
  useSignalEffect(() => {
    const [index, time, of] = [garment.value, t.value, seed.value];
    void context.run(async (turn) => {
      const { perfect, learned } = await guessers(await turn.backend());
      const picture = garmentOf(await garmentBytes(), index);
      const best = await perfect.at(picture, time, of);
      const { clean } = await learned.at(picture, time, of);
      turn.show(() => (seen.value = { ...best, learned: clean }));
    });
  });
  const draw = (): Promise<boolean> =>
    context.run(async (turn) => {
      const { world, draw } = await guessers(await turn.backend());
      const images = await draw({ seed: seed.value, batchSize: batchFor(8) }, turn.signal);
      turn.show(() => (drawn.value = { images, copies: copiesOf(images, world) }));
    });
  const copies = drawn.value?.copies.filter((copy) => copy >= 0).length;
  return (
    <>
      <div class="beside">
        <div class="tiles three">
          <Tile
            images={seen.value?.noisy}
            label={`The noisy picture at t = ${t.value}`}
            caption={
              <>
                x<sub>t</sub>
              </>
            }
          />
          <Tile images={seen.value?.clean} label="The guess of the perfect denoiser" caption="the perfect denoiser" />
          <Tile images={seen.value?.learned} label="The guess of the network" caption="the network" />
        </div>
        <World weights={seen.value?.weights} drawn={drawn.value?.copies} />
      </div>
      <Slider label="time t" value={t} min={0} max={999} text={(value) => `${value} of 1000`} />
      <GarmentPicker legend="Picture" value={garment} />
      <div class="actions">
        <Button label="Draw with the perfect denoiser" onPress={() => void draw()} isMain />
      </div>
      {drawn.value && (
        <Tile
          images={drawn.value.images}
          columns={drawn.value.images.shape[0]}
          label={`${drawn.value.images.shape[0]} drawn garments, ${copies} of them copies`}
          caption={`${copies} of ${drawn.value.copies.length} are copies of garments above, which are marked.`}
        />
      )}
    </>
  );
}

export const figure: LiveFigure = { title: "The perfect denoiser of 64 garments", Body, seed: 5 };
