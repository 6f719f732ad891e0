import type { NdArray } from "unnoise";
import { Pictures } from "../../../kit/pictures/pictures.tsx";
import { GARMENTS } from "../common/garment-sizes.ts";
import { ONE_OF_EACH, garmentOf } from "../common/garments.ts";
import { useGarments } from "../parts/use-garments.ts";

export interface WorldProps {
  /** How probable each garment is, [1, 64]. */
  readonly weights: NdArray | undefined;
  /** Garments that were drawn as copies. */
  readonly drawn: readonly number[] | undefined;
}

/** All garments that there are, each as visible as it is probable. */
export function World({ weights, drawn = [] }: WorldProps) {
  const bytes = useGarments().value;
  const probable =
    weights && Array.from(weights.data, (weight, index) => ({ weight, index })).filter(({ weight }) => weight > 0.01);
  const nameOf = (index: number): string =>
    ONE_OF_EACH.find((garment) => garment.index === index)?.name ?? `garment ${index + 1}`;
  const label =
    probable && probable.length > 0
      ? probable
          .toSorted((a, b) => b.weight - a.weight)
          .slice(0, 3)
          .map(({ weight, index }) => `${nameOf(index)} ${(100 * weight).toFixed(0)} %`)
          .join(", ")
      : "none more than a hundredth";
  return (
    <div class="tile">
      <div class="world" role="img" aria-label={`How probable each of the 64 garments is: ${label}`}>
        {Array.from({ length: GARMENTS }, (_, i) => (
          <div
            key={i}
            class={drawn.includes(i) ? "copied" : undefined}
            style={{ opacity: 0.25 + 0.75 * Math.sqrt(weights?.data[i] ?? 0) }}
          >
            <Pictures images={bytes && garmentOf(bytes, i)} label="" padding={0} />
          </div>
        ))}
      </div>
      <p>the world: each garment as visible as it is probable</p>
    </div>
  );
}
