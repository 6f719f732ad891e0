import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { ReferenceBackend } from "../src/backend/reference/backend.ts";
import type { SafeTensor } from "../src/io/safetensors/safetensors.ts";
import { runParity, tolerances } from "../src/parity/parity.ts";
import type { ParityFiles } from "../src/parity/parity-case.ts";
import type { ParityReport } from "../src/parity/parity.ts";
import { nchwToNhwc, nhwcToNchw } from "../src/parity/layout.ts";
import { ndarray } from "../src/tensor/ndarray.ts";
import { parityFiles } from "./support/parity-files.ts";

const backend = ReferenceBackend.create();
afterAll(() => backend.close());

const failures = (reports: readonly ParityReport[]) =>
  reports.flatMap(({ variant, checks }) => checks.filter(({ pass }) => !pass).map((check) => [variant, check]));

/** The files of a case with one tensor added or replaced. */
function withTensor(files: ParityFiles, name: string, tensor: SafeTensor): ParityFiles {
  return { ...files, io: { ...files.io, tensors: new Map([...files.io.tensors, [name, tensor]]) } };
}

function floats(files: ParityFiles, name: string): { readonly shape: readonly number[]; readonly data: Float32Array } {
  const tensor = files.io.tensors.get(name);
  if (tensor?.dtype !== "F32") throw new Error(`${files.name} has no F32 tensor ${name}`);
  return tensor;
}

describe("the article's colour model with self-condition, as PyTorch computed it", () => {
  const files = parityFiles("rgb-self-condition");
  let reports: ParityReport[] = [];
  beforeAll(async () => {
    reports = await runParity(files, backend);
  }, 60_000);

  test("agrees in predictions, losses, gradients, Adam and samples, in both variants", () => {
    expect(failures(reports)).toEqual([]);
    expect(reports.map(({ variant, checks }) => [variant, checks.map(({ name }) => name)])).toEqual(
      ["standardized", "printed"].map((variant) => [
        variant,
        [
          "parameter count",
          "x_noisy",
          "prediction",
          "loss l1",
          "loss l2",
          "loss huber",
          "gradients",
          "gradient norms",
          "losses of 5 Adam steps",
          "sample of 10 steps",
        ],
      ]),
    );
  });

  test("covers every parameter's gradient", () => {
    const [standardized] = reports;
    const details = standardized.checks.filter(({ name }) => name.startsWith("gradient")).map(({ detail }) => detail);
    for (const detail of details) expect(detail).toMatch(/^169 parameters/);
  });
});

describe("the article's gray model, as PyTorch computed it", () => {
  test("agrees in predictions, losses and gradients, in both variants", async () => {
    const reports = await runParity(parityFiles("gray"), backend, { parts: ["prediction", "losses", "gradients"] });
    expect(failures(reports)).toEqual([]);
  }, 60_000);
});

describe("the parity report", () => {
  const name = "rgb-self-condition";

  test("fails where the values differ by more than the tolerance, and says by how much", async () => {
    const files = parityFiles(name);
    const { shape, data } = floats(files, "standardized.prediction");
    const changed = { dtype: "F32", shape, data: data.map((value, i) => (i === 5 ? value + 0.01 : value)) } as const;
    const options = { parts: ["prediction"], variants: ["standardized"] } as const;
    const [{ checks }] = await runParity(withTensor(files, "standardized.prediction", changed), backend, options);
    const check = checks.find(({ name }) => name === "prediction");
    expect(check).toMatchObject({ pass: false, tolerance: tolerances.image });
    expect(check?.largestDifference).toBeCloseTo(0.01, 4);
  });

  test.each(["standardized", "printed"] as const)(
    "fails for a %s sample that was drawn with other noise, or is a little off",
    async (variant) => {
      const files = parityFiles(name);
      const options = { parts: ["sample"], variants: [variant] } as const;
      const noise = floats(files, "sampling_noise");
      const sample = floats(files, `${variant}.sample10`);
      const changes: Record<string, SafeTensor> = {
        sampling_noise: { dtype: "F32", shape: noise.shape, data: noise.data.toReversed() },
        [`${variant}.sample10`]: { dtype: "F32", shape: sample.shape, data: sample.data.map((value) => value * 1.01) },
      };
      for (const [tensor, value] of Object.entries(changes)) {
        const [{ checks }] = await runParity(withTensor(files, tensor, value), backend, options);
        expect(
          checks.map(({ pass }) => pass),
          tensor,
        ).toEqual([false]);
      }
    },
    60_000,
  );

  test("says in one line what a case lacks", async () => {
    const files = parityFiles(name);
    const without = (tensor: string) => {
      const tensors = new Map(files.io.tensors);
      tensors.delete(tensor);
      return { ...files, io: { ...files.io, tensors } };
    };
    await expect(runParity(without("noise"), backend)).rejects.toThrow(
      'rgb-self-condition: unet_io.safetensors has no tensor "noise"',
    );
    await expect(runParity({ ...files, meta: { parameters: 1 } }, backend)).rejects.toThrow(
      "rgb-self-condition: meta.json: config Invalid input: expected object",
    );
    await expect(runParity({ ...files, weights: parityFiles("gray").weights }, backend)).rejects.toThrow(
      /^rgb-self-condition: unet.safetensors: missing .*; init_conv\.weight must be f32 \[8,6,1,1\], got f32 \[8,1,1,1\];/,
    );
  });
});

describe("image layouts", () => {
  test("turn into each other", () => {
    const nchw = ndarray(
      Float32Array.from({ length: 24 }, (_, i) => i),
      [2, 3, 1, 4],
    );
    const nhwc = nchwToNhwc(nchw);
    expect(nhwc.shape).toEqual([2, 1, 4, 3]);
    expect(nhwc.data.slice(0, 6)).toEqual(Float32Array.of(0, 4, 8, 1, 5, 9));
    expect(nhwcToNchw(nhwc)).toEqual(nchw);
    expect(() => nchwToNhwc(ndarray([1], [1]))).toThrow("nchwToNhwc: images must have rank 4, got [1]");
  });
});
