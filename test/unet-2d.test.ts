import { afterAll, describe, expect, test } from "vitest";
import type { Backend } from "../src/backend/backend.ts";
import { ReferenceBackend } from "../src/backend/reference/backend.ts";
import { createWasmBackend } from "../src/backend/wasm/wasm-backend.node.ts";
import { createWebGpuBackend } from "../src/backend/webgpu/webgpu-backend.node.ts";
import { UNet2DModel } from "../src/models/unet-2d/unet-2d-model.ts";
import { withoutWeights } from "../src/nn/init.ts";
import { deviations, publishedUNet2DModels, unet2DCases } from "./support/network-cases.ts";
import type { PublishedConfig, UNet2DCase } from "./support/network-cases.ts";
import { whyNoWebGpu } from "./support/webgpu.ts";

const cases = unet2DCases();
const fault = await whyNoWebGpu();
const backends: Readonly<Record<string, Backend>> = {
  reference: ReferenceBackend.create(),
  wasm: await createWasmBackend({ threads: 2 }),
};
afterAll(async () => {
  for (const backend of Object.values(backends)) await backend.close();
});

const unweighted = ({ given }: PublishedConfig): UNet2DModel => withoutWeights(() => UNet2DModel.fromConfig(given));
/** In their order. */
const shapesOf = (model: UNet2DModel) => [...model.parameters()].map(([name, { shape }]) => [name, shape]);

async function checkDeviations(recorded: UNet2DCase, backend: Backend): Promise<void> {
  const found = await deviations(unweighted(recorded), recorded, backend);
  expect(found.prediction).toBeLessThan(1e-5);
  expect(found.loss).toBeLessThan(1e-5);
  expect(Object.entries(found.gradients).filter(([, share]) => !(share < 3e-5))).toEqual([]);
  expect(found.zeroGradients).toBeLessThan(1e-6);
}

describe.each(cases)("UNet2DModel with $name", (recorded) => {
  test("has the config and the parameters of diffusers", () => {
    const model = unweighted(recorded);
    // diffusers keeps the old names of blocks, which mean the same.
    const present = JSON.parse(JSON.stringify(recorded.config).replaceAll("UNetRes", "")) as typeof recorded.config;
    expect(model.toConfig()).toEqual(present);
    expect(UNet2DModel.fromConfig(model.toConfig()).options).toEqual(model.options);
    expect(shapesOf(model)).toEqual(Object.entries(recorded.parameters));
  });

  test.each(Object.keys(backends))(
    "predicts and differentiates as PyTorch does, on %s",
    async (name) => {
      await checkDeviations(recorded, backends[name]);
    },
    60_000,
  );
});

// A driver in software compiles a shader in a tenth of a second: a few cases will do.
const onWebGpu = cases.filter(({ name }) => /^(one resolution|learned embeddings of timesteps and labels)/.test(name));

test.for(onWebGpu)(
  "UNet2DModel with $name agrees with PyTorch on webgpu",
  { timeout: 180_000 },
  async (recorded, { skip }) => {
    if (fault !== undefined) skip(fault);
    const backend = await createWebGpuBackend();
    await checkDeviations(recorded, backend);
    await backend.close();
  },
);

test("every field of the config has several values among the cases", () => {
  const fields = Object.keys(cases[0].config).filter((field) => !field.startsWith("_"));
  const same = fields.filter((field) => new Set(cases.map(({ config }) => JSON.stringify(config[field]))).size === 1);
  expect(same).toEqual([]);
});

test.each(publishedUNet2DModels())("$name has the parameters that diffusers gives it", (published) => {
  const model = unweighted(published);
  expect(model.toConfig()).toEqual(published.config);
  expect(shapesOf(model)).toEqual(Object.entries(published.parameters));
  const counts = { "google/ddpm-cifar10-32": 35_746_307, "google/ddpm-church-256": 113_673_219 };
  expect(model.parameterCount()).toBe(counts[published.name as keyof typeof counts]);
});
