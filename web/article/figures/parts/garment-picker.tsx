import type { Signal } from "@preact/signals";
import { useUniqueId } from "../../../kit/unique-id.ts";
import { Pictures } from "../../../kit/pictures/pictures.tsx";
import { ONE_OF_EACH, garmentOf } from "../common/garments.ts";
import { useGarments } from "./use-garments.ts";

export interface GarmentPickerProps {
  readonly legend: string;
  /** Number of the chosen image; another number if it is none of these. */
  readonly value: Signal<number>;
}

/** One garment of each class to choose from; radio buttons that look like pictures. */
export function GarmentPicker({ legend, value }: GarmentPickerProps) {
  const name = useUniqueId();
  const bytes = useGarments().value;
  return (
    <fieldset class="picker">
      <legend>{legend}</legend>
      {ONE_OF_EACH.map((garment) => (
        <label key={garment.index} title={garment.name}>
          <input
            type="radio"
            name={name}
            aria-label={garment.name}
            checked={value.value === garment.index}
            onChange={() => (value.value = garment.index)}
          />
          <Pictures images={bytes && garmentOf(bytes, garment.index)} label="" padding={0} />
        </label>
      ))}
    </fieldset>
  );
}
