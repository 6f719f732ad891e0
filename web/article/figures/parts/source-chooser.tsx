import { useComputed, useSignal } from "@preact/signals";
import type { Signal } from "@preact/signals";
import { useEffect, useRef } from "preact/hooks";
import type { PictureSource } from "../common/code.ts";
import { SIDE } from "../common/garment-sizes.ts";
import { DrawingPad } from "./drawing-pad.tsx";
import { GarmentPicker } from "./garment-picker.tsx";
import { ownPicture } from "./own-picture.ts";
import type { OwnFormat } from "./own-picture.ts";

export interface SourceChooserProps {
  readonly source: Signal<PictureSource>;
  /** Of the reader's own pictures. */
  readonly own: OwnFormat;
}

/** A garment, a drawing of the reader's, or a picture of theirs. */
export function SourceChooser({ source, own }: SourceChooserProps) {
  const garment = useSignal("garment" in source.value ? source.value.garment : -1);
  const isDrawing = useSignal(false);
  const drawing = useRef(new Uint8Array(SIDE ** 2));
  const version = useSignal(0);
  const fault = useSignal("");
  const file = useRef<HTMLInputElement>(null);
  /** How many files were chosen: the last one counts, however long others take to be read. */
  const opened = useRef(0);
  const hasStrokes = useComputed(() => version.value > 0 && drawing.current.some((byte) => byte > 0));
  const set = (picture: PictureSource): void => {
    opened.current++;
    fault.value = "";
    source.value = picture;
  };
  useEffect(() => garment.subscribe((index) => index >= 0 && set({ garment: index })), []);

  const take = (picture: PictureSource): void => {
    garment.value = -1;
    set(picture);
  };
  const takeDrawing = (): void => {
    version.value++;
    take({ bytes: drawing.current.slice(), shape: [1, SIDE, SIDE, 1] });
  };
  const open = async (chosen: File | undefined): Promise<void> => {
    if (chosen === undefined) return;
    const turn = ++opened.current;
    fault.value = "";
    try {
      const picture = await ownPicture(chosen, own);
      if (turn !== opened.current) return;
      take(picture);
      isDrawing.value = false;
    } catch (error) {
      if (turn === opened.current) fault.value = error instanceof Error ? error.message : String(error);
    }
  };
  return (
    <div
      class="sources"
      onDragOver={(event) => event.preventDefault()}
      onDrop={(event) => {
        event.preventDefault();
        void open(event.dataTransfer?.files[0]);
      }}
    >
      <GarmentPicker legend="Picture" value={garment} />
      <div class="actions">
        <button
          type="button"
          aria-expanded={isDrawing.value}
          onClick={() => {
            isDrawing.value = !isDrawing.value;
            if (isDrawing.value) takeDrawing();
          }}
        >
          Draw one
        </button>
        <button type="button" onClick={() => file.current?.click()}>
          Your own picture
        </button>
        <input
          ref={file}
          type="file"
          accept="image/*"
          hidden
          onChange={({ currentTarget }) => {
            void open(currentTarget.files?.[0]);
            // So that the same file can be chosen again.
            currentTarget.value = "";
          }}
        />
        {isDrawing.value && (
          <button
            type="button"
            disabled={!hasStrokes.value}
            onClick={() => {
              drawing.current.fill(0);
              takeDrawing();
            }}
          >
            Clear
          </button>
        )}
      </div>
      {isDrawing.value && (
        <DrawingPad
          label="Your drawing"
          side={SIDE}
          brush={2.4}
          version={version.value}
          paint={(context, place) => paintBytes(context, drawing.current, place)}
          onStroke={(pixels, isErasing) => {
            for (const pixel of pixels) drawing.current[pixel] = isErasing ? 0 : 255;
            takeDrawing();
          }}
        />
      )}
      {fault.value !== "" && (
        <p class="fault" role="alert">
          {fault.value}
        </p>
      )}
    </div>
  );
}

function paintBytes(
  context: CanvasRenderingContext2D,
  bytes: Uint8Array,
  place: { readonly x: number; readonly y: number } | undefined,
): void {
  const pixels = new ImageData(SIDE, SIDE);
  for (const [i, byte] of bytes.entries()) pixels.data.set([byte, byte, byte, 255], 4 * i);
  if (place !== undefined) pixels.data.set([240, 130, 80, 255], 4 * (place.y * SIDE + place.x));
  context.putImageData(pixels, 0, 0);
}
