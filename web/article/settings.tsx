import { render } from "preact";
import { Choice } from "../kit/controls.tsx";
import { chosenDevice } from "../kit/chosen-device.ts";
import type { Device } from "../kit/chosen-device.ts";

const DEVICES: readonly { readonly value: Device; readonly label: string }[] = [
  { value: "wasm", label: "the processor" },
  { value: "webgpu", label: "the GPU" },
];

/** Below the contents, in browsers that offer a GPU: what figures compute on. */
export function mountSettings(): void {
  const place = document.querySelector("#settings");
  const hasFigures = document.querySelector("[data-figure]") !== null;
  if (place === null || !hasFigures || !("gpu" in navigator)) return;
  render(<Choice label="Figures compute on" value={chosenDevice} options={DEVICES} />, place);
}
