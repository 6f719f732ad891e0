import { useLayoutEffect, useRef } from "preact/hooks";
import type { NdArray } from "unnoise";
import { drawImages } from "./canvas.ts";
import type { DrawOptions } from "./canvas.ts";

export interface PicturesProps extends DrawOptions {
  /** f32 [count, height, width, 1 or 3 channels] within [-1, 1]; nothing is drawn before there are some. */
  readonly images: NdArray | undefined;
  /** What is seen, for those who do not see it; "" where something beside it says so. */
  readonly label: string;
  /** So many rows of pictures have their place before there are some; 1 unless given. */
  readonly rows?: number | undefined;
}

/** A grid of images, each pixel a square. */
export function Pictures({ images, label, columns, rows = 1, padding, background }: PicturesProps) {
  const canvas = useRef<HTMLCanvasElement>(null);
  useLayoutEffect(() => {
    if (canvas.current && images) drawImages(canvas.current, images, { columns, padding, background });
  }, [images, columns, padding, background]);
  const spoken = label === "" ? ({ "aria-hidden": true } as const) : ({ role: "img", "aria-label": label } as const);
  return <canvas class="pictures" width={columns ?? 1} height={rows} ref={canvas} {...spoken} />;
}
