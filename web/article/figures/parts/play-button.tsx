import { useSignal } from "@preact/signals";
import type { ReadonlySignal, Signal } from "@preact/signals";
import { useEffect } from "preact/hooks";
import { Button } from "../../../kit/controls.tsx";

export interface PlayButtonProps {
  readonly value: Signal<number>;
  readonly max: number;
  readonly isSeen: ReadonlySignal<boolean>;
}

const PER_SECOND = 8;

/** Moves a slider to its end, from its start if it is there already. Off screen it waits. */
export function PlayButton({ value, max, isSeen }: PlayButtonProps) {
  const isPlaying = useSignal(false);
  useEffect(() => {
    if (!isPlaying.value) return undefined;
    const timer = setInterval(() => {
      if (!isSeen.value) return;
      if (value.value < max) value.value += 1;
      if (value.value >= max) isPlaying.value = false;
    }, 1000 / PER_SECOND);
    return () => clearInterval(timer);
  }, [isPlaying.value]);
  const play = (): void => {
    if (!isPlaying.value && value.value >= max) value.value = 0;
    isPlaying.value = !isPlaying.value;
  };
  return <Button label={isPlaying.value ? "Pause" : "Play"} onPress={play} isMain />;
}
