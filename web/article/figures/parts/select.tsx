import type { Signal } from "@preact/signals";
import { useUniqueId } from "../../../kit/unique-id.ts";

export interface SelectProps {
  readonly label: string;
  readonly value: Signal<string>;
  readonly options: readonly { readonly value: string; readonly label: string }[];
}

/** One of many, in a native list. */
export function Select({ label, value, options }: SelectProps) {
  const id = useUniqueId();
  return (
    <div class="control">
      <label for={id}>{label}</label>
      <select id={id} value={value.value} onChange={({ currentTarget }) => (value.value = currentTarget.value)}>
        {options.map((option) => (
          <option key={option.value} value={option.value}>
            {option.label}
          </option>
        ))}
      </select>
    </div>
  );
}
