import momentsUrl from "virtual:opening";
import { useSignal, useSignalEffect } from "@preact/signals";
import { useEffect, useLayoutEffect, useRef } from "preact/hooks";
import { Button, Slider } from "../../../kit/controls.tsx";
import { SEEDS } from "../../../kit/figure.ts";
import type { BodyProps, FigureTurn, LiveFigure } from "../../../kit/figure.ts";
import { drawGrays } from "../../../kit/pictures/picture.ts";
import { numberWithin } from "../../../kit/link.ts";
import { useSetting } from "../../../kit/setting.ts";
import { SIDE } from "../common/garment-sizes.ts";
import { fetchBytes } from "../common/fetch-bytes.ts";
import { denoisingCode } from "../denoising/code.ts";
import { batchFor } from "../parts/batch.ts";
import { PlayButton } from "../parts/play-button.tsx";
import { unpackMoments } from "./moments.ts";
import type { Moment } from "./moments.ts";
import { FIRST_SEED, GARMENTS_DRAWN, STEPS, openingSettings } from "./settings.ts";

/** Where garments begin to be seen. */
const FIRST_STEP = 12;

/** Noise that becomes garments: drawn when the page was built, and others at the reader's wish. */
function Body({ context }: BodyProps) {
  const step = useSetting(context, "step", FIRST_STEP, numberWithin(0, STEPS));
  const moments = useSignal<readonly Moment[]>([]);
  /** What is being drawn, as it comes. */
  const coming = useSignal<Moment | undefined>(undefined);
  const canvas = useRef<HTMLCanvasElement>(null);
  const columns = batchFor(GARMENTS_DRAWN / 2);
  const { seed } = context;
  useEffect(() => context.offerCode(() => denoisingCode(openingSettings(seed.value))), [context]);

  const drawOthers = async (turn: FigureTurn, of: number): Promise<readonly Moment[]> => {
    const { drawMoments, drawerOf } = await import("./others.ts");
    const follow = (moment: Moment, at: number): void =>
      turn.show(() => {
        coming.value = moment;
        step.value = at;
      });
    // Only where the reader asks for it is it seen as it comes.
    const isFollowed = context.isLive.peek() && !context.isStill;
    return drawMoments(await drawerOf(await turn.backend()), of, turn.signal, isFollowed ? follow : undefined);
  };
  useSignalEffect(() => {
    const of = seed.value;
    void context.run(async (turn) => {
      const isDrawn = of === FIRST_SEED;
      const all = isDrawn ? await unpackMoments(await fetchBytes(momentsUrl)) : await drawOthers(turn, of);
      turn.show(() => {
        if (isDrawn) context.device.value = "drawn when this page was built";
        coming.value = undefined;
        moments.value = all;
      });
    });
  });
  const moment = coming.value ?? moments.value.at(step.value);
  useLayoutEffect(() => {
    if (canvas.current && moment) drawGrays(canvas.current, moment, SIDE, columns);
  }, [moment, columns]);
  const text = (value: number): string => `${value} of ${STEPS}`;
  return (
    <>
      <canvas
        class="pictures"
        ref={canvas}
        role="img"
        aria-label={`${GARMENTS_DRAWN} garments after ${text(step.value)} steps out of noise`}
      />
      <Slider label="step" value={step} min={0} max={STEPS} text={text} />
      <div class="actions">
        <PlayButton value={step} max={STEPS} isSeen={context.isSeen} />
        <Button label="Draw others" onPress={() => (seed.value = (seed.value + 1) % SEEDS)} />
      </div>
    </>
  );
}

export const figure: LiveFigure = { title: "Garments out of noise", Body, seed: FIRST_SEED };
