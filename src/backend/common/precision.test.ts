import { expect, test } from "vitest";
import { openDevice } from "../../cli/flags/device.ts";
import { createBackend } from "../default.ts";

test("half precision on a device without it is refused in one line", async () => {
  const refusal = /^precision f16 takes the device webgpu, got (wasm|reference)$/;
  await expect(createBackend({ device: "wasm", precision: "f16" })).rejects.toThrow(refusal);
  await expect(openDevice({ device: "wasm", precision: "f16" })).rejects.toThrow(refusal);
  await expect(openDevice({ device: "reference", precision: "f16" })).rejects.toThrow(refusal);
});
