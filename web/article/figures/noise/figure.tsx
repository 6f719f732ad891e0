import { useSignal, useSignalEffect } from "@preact/signals";
import { useEffect } from "preact/hooks";
import { randn } from "unnoise";
import type { NdArray } from "unnoise";
import { Slider } from "../../../kit/controls.tsx";
import { instantBackend } from "../../../kit/device.ts";
import type { BodyProps, LiveFigure } from "../../../kit/figure.ts";
import { useLinked } from "../../../kit/setting.ts";
import { garmentBytes } from "../common/page-data.ts";
import { pictureOf } from "../common/picture-of.ts";
import { SourceChooser } from "../parts/source-chooser.tsx";
import { Tile } from "../parts/tile.tsx";
import { sharesOf } from "../schedules/model.ts";
import { noiseCode } from "./code.ts";
import { Noising } from "./model.ts";
import { linkSource, linkTime, resetSource, resetTime, schedule, source, t, timesteps } from "./state.ts";

const noising = new Noising(instantBackend);

interface Seen {
  readonly t: number;
  readonly picture: NdArray;
  readonly noise: NdArray;
  readonly noisy: NdArray;
}

/** A picture, noise, and their mixture at t. */
function Body({ context }: BodyProps) {
  useLinked(context, (link) => {
    linkTime(link);
    linkSource(link);
  });
  const seen = useSignal<Seen | undefined>(undefined);
  const { seed } = context;
  useEffect(() => {
    context.offerCode(() => noiseCode(source.value, settings()));
    return () => {
      resetTime();
      resetSource();
    };
  }, [context]);
  const settings = () => ({ schedule: schedule.value, timesteps: timesteps.value, t: t.value, seed: seed.value });
  useSignalEffect(() => {
    const [wanted, of] = [settings(), source.value];
    void context.run(async (turn) => {
      turn.uses(instantBackend);
      const picture = pictureOf(of, await garmentBytes());
      const noisy = await noising.at(picture, wanted);
      turn.show(() => (seen.value = { t: wanted.t, picture, noisy, noise: randn(picture.shape, wanted.seed) }));
    });
  });
  const shares = sharesOf(schedule.value, timesteps.value);
  const [ofPicture, ofNoise] = [shares.picture[t.value], shares.noise[t.value]].map((share) => share.toFixed(2));
  return (
    <>
      <div class="equation">
        <Tile images={seen.value?.picture} label="The picture" caption={<>{ofPicture} × picture</>} />
        <span aria-hidden="true">+</span>
        <Tile images={seen.value?.noise} label="Normally distributed noise" caption={<>{ofNoise} × noise</>} />
        <span aria-hidden="true">=</span>
        <Tile
          images={seen.value?.noisy}
          label={`The picture at t = ${seen.value?.t ?? t.value}: ${ofPicture} of it and ${ofNoise} of the noise`}
          caption={
            <>
              x<sub>t</sub> at t = {t.value}
            </>
          }
        />
      </div>
      <Slider
        label="time t"
        value={t}
        min={0}
        max={timesteps.value - 1}
        text={(value) => `${value} of ${timesteps.value}`}
      />
      <SourceChooser source={source} own={{ side: 96, channels: 3 }} />
    </>
  );
}

export const figure: LiveFigure = { title: "A picture, noise, and every mixture of them", Body, seed: 1 };
