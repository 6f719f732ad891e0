import { useSignal, useSignalEffect } from "@preact/signals";
import { useEffect, useRef } from "preact/hooks";
import { ndarray, toBytes } from "unnoise";
import type { NdArray } from "unnoise";
import { Button, Slider } from "../../../kit/controls.tsx";
import type { BodyProps, LiveFigure } from "../../../kit/figure.ts";
import { numberWithin } from "../../../kit/link.ts";
import { useSetting } from "../../../kit/setting.ts";
import { SIDE } from "../common/garment-sizes.ts";
import { garmentKind, garmentOf } from "../common/garments.ts";
import { drawerOfFigure, garmentBytes } from "../common/page-data.ts";
import { batchFor } from "../parts/batch.ts";
import { DrawingPad } from "../parts/drawing-pad.tsx";
import { GarmentPicker } from "../parts/garment-picker.tsx";
import { Tile } from "../parts/tile.tsx";
import { useGarments } from "../parts/use-garments.ts";
import { paintCode } from "./code.ts";
import { paint } from "./model.ts";

const drawerOf = drawerOfFigure();
/** The right half, to begin with. */
const firstMask = (): Uint8Array => Uint8Array.from({ length: SIDE ** 2 }, (_, i) => (i % SIDE < SIDE / 2 ? 0 : 1));
const [THINNEST, THICKEST] = [1, 12];
/** After the last stroke, before it is painted. */
const PAUSE_MS = 350;

/** Part of a garment, painted anew. */
function Body({ context }: BodyProps) {
  const garment = useSetting(context, "garment", 1, garmentKind);
  const brush = useSetting(context, "brush", 5, numberWithin(THINNEST, THICKEST));
  const mask = useSignal(firstMask());
  const past = useRef<Uint8Array[]>([]);
  const images = useSignal<NdArray | undefined>(undefined);
  const bytes = useGarments().value;
  const { seed } = context;
  const batchSize = batchFor(8);
  const settings = () => ({ seed: seed.value, batchSize });
  useEffect(() => context.offerCode(() => paintCode({ garment: garment.value }, mask.value, settings())), [context]);
  useSignalEffect(() => {
    const [wanted, index, where] = [settings(), garment.value, mask.value];
    const timer = setTimeout(
      () => {
        void context.run(async (turn) => {
          const picture = garmentOf(await garmentBytes(), index);
          const area = ndarray(Float32Array.from(where), [1, SIDE, SIDE, 1]);
          const painted = await paint(await drawerOf(await turn.backend()), picture, area, wanted, turn.signal);
          turn.show(() => (images.value = painted));
        });
      },
      images.peek() === undefined ? 0 : PAUSE_MS,
    );
    return () => clearTimeout(timer);
  });
  const change = (next: Uint8Array): void => {
    past.current = [...past.current, mask.value].slice(-50);
    mask.value = next;
  };
  const undo = (): void => {
    const before = past.current.pop();
    if (before !== undefined) mask.value = before;
  };
  const resize = (event: KeyboardEvent): void => {
    const by = event.key === "[" ? -1 : event.key === "]" ? 1 : 0;
    brush.value = Math.min(Math.max(brush.value + by, THINNEST), THICKEST);
  };
  const showPicture = (
    canvas: CanvasRenderingContext2D,
    place: { readonly x: number; readonly y: number } | undefined,
  ): void => {
    if (bytes === undefined) return;
    const gray = toBytes(Float32Array.from(garmentOf(bytes, garment.value).data));
    const pixels = new ImageData(SIDE, SIDE);
    for (const [i, level] of gray.entries()) {
      // The part to paint is seen through orange glass.
      const [r, g, b] =
        mask.value[i] === 1 ? [150 + level * 0.35, 70 + level * 0.3, 30 + level * 0.3] : [level, level, level];
      pixels.data.set([r, g, b, 255], 4 * i);
    }
    if (place !== undefined) pixels.data.set([255, 255, 255, 255], 4 * (place.y * SIDE + place.x));
    canvas.putImageData(pixels, 0, 0);
  };
  return (
    <div onKeyDown={resize} class="stack">
      <div class="one-and-many large">
        <div class="tile">
          <DrawingPad
            label="What to paint anew, in orange"
            side={SIDE}
            brush={brush.value}
            version={`${garment.value} ${bytes?.length} ${mask.value.join("")}`}
            paint={showPicture}
            onStroke={(pixels, isErasing) => {
              const next = mask.value.slice();
              for (const pixel of pixels) next[pixel] = isErasing ? 0 : 1;
              change(next);
            }}
            onUndo={undo}
          />
          <p>orange is painted anew; Shift erases</p>
        </div>
        <Tile
          images={images.value}
          columns={batchSize / 2}
          rows={2}
          label={`${batchSize} ways to paint it`}
          caption={`${batchSize} ways to go on`}
        />
      </div>
      <Slider label="brush" value={brush} min={THINNEST} max={THICKEST} text={(value) => `${value} pixels`} />
      <div class="actions">
        <Button label="Undo" onPress={undo} />
        <Button label="Clear" onPress={() => change(new Uint8Array(SIDE ** 2))} />
        <Button label="Right half" onPress={() => change(firstMask())} />
      </div>
      <GarmentPicker legend="Picture" value={garment} />
    </div>
  );
}

export const figure: LiveFigure = { title: "A brush that paints garments", Body, seed: 6 };
