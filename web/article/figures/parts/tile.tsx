import type { ComponentChildren } from "preact";
import type { NdArray } from "unnoise";
import { Pictures } from "../../../kit/pictures/pictures.tsx";

export interface TileProps {
  readonly images: NdArray | undefined;
  /** What is seen, for those who do not see it. */
  readonly label: string;
  readonly caption: ComponentChildren;
  readonly columns?: number | undefined;
  readonly rows?: number | undefined;
}

/** Pictures with a line below. */
export function Tile({ images, label, caption, columns, rows }: TileProps) {
  return (
    <div class="tile">
      <Pictures
        images={images}
        label={label}
        columns={columns}
        rows={rows}
        padding={images?.shape[0] === 1 ? 0 : 1}
        background={0}
      />
      <p>{caption}</p>
    </div>
  );
}
