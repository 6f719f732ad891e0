import { afterAll, describe, expect, test } from "vitest";
import type { Backend } from "../src/backend/backend.ts";
import { ReferenceBackend } from "../src/backend/reference/backend.ts";
import { createWasmBackend } from "../src/backend/wasm/wasm-backend.node.ts";
import type { Denoiser } from "../src/diffusion/denoiser.ts";
import { AdmUnet } from "../src/models/adm/adm-unet.ts";
import type { AdmUnetOptions } from "../src/models/adm/options.ts";
import { DiT } from "../src/models/dit/dit.ts";
import type { DiTOptions } from "../src/models/dit/options.ts";
import type { Module } from "../src/nn/module.ts";
import { deviations, networkCases } from "./support/network-cases.ts";

const backends: Readonly<Record<string, Backend>> = {
  reference: ReferenceBackend.create(),
  wasm: await createWasmBackend({ threads: 2 }),
};
afterAll(async () => {
  for (const backend of Object.values(backends)) await backend.close();
});

const cases = [
  ...networkCases<AdmUnetOptions>("adm.json").map((recorded) => ({
    network: "ADM's U-Net",
    recorded,
    create: (): Module & Denoiser => new AdmUnet(recorded.options),
  })),
  ...networkCases<DiTOptions>("dit.json").map((recorded) => ({
    network: "DiT",
    recorded,
    create: (): Module & Denoiser => new DiT(recorded.options),
  })),
];

describe.each(cases)("$network with $recorded.name", ({ recorded, create }) => {
  test("has the authors' parameters", () => {
    const shapes = Object.fromEntries([...create().parameters()].map(([name, { shape }]) => [name, shape]));
    expect(shapes).toEqual(recorded.parameters);
  });

  test.each(Object.keys(backends))(
    "predicts and differentiates as PyTorch does, on %s",
    { timeout: 60_000 },
    async (name) => {
      const found = await deviations(create(), recorded, backends[name]);
      expect(found.prediction).toBeLessThan(1e-5);
      expect(found.loss).toBeLessThan(1e-5);
      const tooFar = Object.entries(found.gradients).filter(([, share]) => !(share < 3e-5));
      expect(tooFar).toEqual([]);
    },
  );
});
