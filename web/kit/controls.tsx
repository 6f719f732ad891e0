import type { Signal } from "@preact/signals";
import { useUniqueId } from "./unique-id.ts";

export interface SliderProps {
  readonly label: string;
  readonly value: Signal<number>;
  readonly min: number;
  readonly max: number;
  readonly step?: number | undefined;
  /** The value for people, also for those who hear it: "t = 120". The number itself without. */
  readonly text?: ((value: number) => string) | undefined;
}

/** A native range: arrows, Page Up and Down, Home and End move it. */
export function Slider({ label, value, min, max, step = 1, text = String }: SliderProps) {
  const id = useUniqueId();
  return (
    <div class="control slider">
      <label for={id}>{label}</label>
      <input
        id={id}
        type="range"
        min={min}
        max={max}
        step={step}
        value={value.value}
        aria-valuetext={text(value.value)}
        onInput={(event) => (value.value = event.currentTarget.valueAsNumber)}
      />
      <output for={id}>{text(value.value)}</output>
    </div>
  );
}

export interface ChoiceProps<Value extends string> {
  readonly label: string;
  readonly value: Signal<Value>;
  readonly options: readonly { readonly value: Value; readonly label: string }[];
}

/** One of a few, all in sight. */
export function Choice<Value extends string>({ label, value, options }: ChoiceProps<Value>) {
  const name = useUniqueId();
  return (
    <fieldset class="control choice">
      <legend>{label}</legend>
      {options.map((option) => (
        <label key={option.value}>
          <input
            type="radio"
            name={name}
            checked={value.value === option.value}
            onChange={() => (value.value = option.value)}
          />
          <span>{option.label}</span>
        </label>
      ))}
    </fieldset>
  );
}

export interface ToggleProps {
  readonly label: string;
  readonly value: Signal<boolean>;
}

export function Toggle({ label, value }: ToggleProps) {
  return (
    <label class="control toggle">
      <input type="checkbox" checked={value.value} onChange={(event) => (value.value = event.currentTarget.checked)} />
      <span>{label}</span>
    </label>
  );
}

export interface ButtonProps {
  readonly label: string;
  readonly onPress: () => void;
  /** The one that a figure is about. */
  readonly isMain?: boolean | undefined;
}

export function Button({ label, onPress, isMain = false }: ButtonProps) {
  return (
    <button type="button" class={isMain ? "main" : undefined} onClick={onPress}>
      {label}
    </button>
  );
}
