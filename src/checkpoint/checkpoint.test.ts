import { describe, expect, test } from "vitest";
import { readClassifier } from "../evaluation/features/classifier-file.node.ts";
import type { GaussianDiffusion } from "../diffusion/gaussian-diffusion.ts";
import { encodeFloat16 } from "../tensor/float16.ts";
import { readSafetensors } from "../io/safetensors/safetensors.node.ts";
import { toFloat32 } from "../io/safetensors/safetensors.ts";
import type { SafeTensor, Safetensors } from "../io/safetensors/safetensors.ts";
import { decodeCheckpoint, encodeCheckpoint } from "./checkpoint.ts";
import { diffusionFromCheckpoint, modelFromCheckpoint } from "./from-checkpoint.ts";
import { readCheckpoint } from "./run-directory.node.ts";

const shipped = new URL("../../data/fashion-mnist-classes/model.safetensors", import.meta.url).pathname;
const shippedClassifier = new URL("../../data/fashion-mnist-classifier/classifier.safetensors", import.meta.url)
  .pathname;

/** The upper half of each float32, as software that truncates makes bfloat16. */
const toBfloat16 = (values: Float32Array): Uint16Array<ArrayBuffer> =>
  Uint16Array.from(new Uint32Array(values.slice().buffer), (bits) => bits >>> 16);

/** What other software does: every tensor of numbers in another precision, the metadata as it was. */
function savedAgain({ tensors, metadata }: Safetensors, dtype: "BF16" | "F16" | "F32" | "F64"): Safetensors {
  const convert = (tensor: SafeTensor): SafeTensor => {
    const values = toFloat32(tensor);
    if (dtype === "BF16") return { dtype, shape: tensor.shape, data: toBfloat16(values) };
    if (dtype === "F16") return { dtype, shape: tensor.shape, data: encodeFloat16(values) };
    if (dtype === "F32") return { dtype, shape: tensor.shape, data: values };
    return { dtype, shape: tensor.shape, data: Float64Array.from(values) };
  };
  return { tensors: new Map([...tensors].map(([name, tensor]) => [name, convert(tensor)])), metadata };
}

describe("a checkpoint that other software saved again", () => {
  test.each([
    ["BF16", false, 2 ** -7],
    ["F16", false, 2 ** -10],
    ["F64", false, 0],
    ["BF16", true, 2 ** -7],
    ["F32", true, 0],
  ] as const)("in %s is read (from half precision: %s)", async (dtype, half, tolerance) => {
    const checkpoint = await readCheckpoint(shipped);
    const again = await decodeCheckpoint(savedAgain(await encodeCheckpoint(checkpoint, { half }), dtype), "again");
    for (const [name, { data }] of checkpoint.model) {
      const read = again.model.get(name)?.data ?? [];
      const difference = Math.max(...data.map((value, i) => Math.abs(value - read[i]) / (Math.abs(value) + 1e-6)));
      expect(difference).toBeLessThanOrEqual(tolerance);
    }
    await modelFromCheckpoint(again);
    const { alphasCumprod } = (diffusionFromCheckpoint(again) as GaussianDiffusion).schedule;
    const { alphasCumprod: whole } = (diffusionFromCheckpoint(checkpoint) as GaussianDiffusion).schedule;
    for (const t of [0, 100, 500, 900]) expect(alphasCumprod[t] / whole[t]).toBeCloseTo(1, 1);
  });

  test("in the same precision is checked as before", async () => {
    const file = await encodeCheckpoint(await readCheckpoint(shipped));
    const [name, tensor] = [...file.tensors].find(([, { dtype }]) => dtype === "F32") ?? [];
    if (name === undefined || tensor?.dtype !== "F32") throw new Error("no tensor");
    const data = tensor.data.slice();
    data[0] += 1;
    const changed = { ...file, tensors: new Map(file.tensors).set(name, { ...tensor, data }) };
    await expect(decodeCheckpoint(changed, "x")).rejects.toThrow(
      "x: damaged checkpoint: its checksum does not fit its content",
    );
  });
});

test("a classifier, a model and the weights of other software are named where another is wanted", async () => {
  await expect(readCheckpoint(shippedClassifier)).rejects.toThrow(
    `${shippedClassifier}: a classifier whose features evaluate compares, not a checkpoint of a model`,
  );
  await expect(readClassifier(shipped)).rejects.toThrow(
    `${shipped}: a checkpoint of a model, not a classifier whose features evaluate compares`,
  );
  const { tensors } = await readSafetensors(shipped);
  await expect(decodeCheckpoint({ tensors, metadata: { format: "pt" } }, "x")).rejects.toThrow(
    "x: not a checkpoint of unnoise, but another safetensors file: `unnoise import` makes a checkpoint of weights",
  );
});
