import { readFileSync } from "node:fs";
import { afterAll, describe, expect, test } from "vitest";
import type { Backend } from "../src/backend/backend.ts";
import { ReferenceBackend } from "../src/backend/reference/backend.ts";
import { createWasmBackend } from "../src/backend/wasm/wasm-backend.node.ts";
import { createWebGpuBackend } from "../src/backend/webgpu/webgpu-backend.node.ts";
import { parsePytorch } from "../src/io/pytorch/state-dict.ts";
import { toFloat32 } from "../src/io/safetensors/safetensors.ts";
import { newModel } from "../src/models/registry.ts";
import { ndarray } from "../src/tensor/ndarray.ts";
import { deviations, networkCases } from "./support/network-cases.ts";
import type { NetworkCase } from "./support/network-cases.ts";
import { whyNoWebGpu } from "./support/webgpu.ts";

const backends: Readonly<Record<string, Backend>> = {
  reference: ReferenceBackend.create(),
  wasm: await createWasmBackend({ threads: 2 }),
};
afterAll(async () => {
  for (const backend of Object.values(backends)) await backend.close();
});

async function checkDeviations(architecture: string, recorded: NetworkCase, backend: Backend): Promise<void> {
  const found = await deviations(newModel(architecture, recorded.options), recorded, backend);
  expect(found.prediction).toBeLessThan(1e-5);
  expect(found.loss).toBeLessThan(1e-5);
  expect(Object.entries(found.gradients).filter(([, share]) => !(share < 3e-5))).toEqual([]);
}

const cases = ["adm", "dit"].flatMap((architecture) =>
  networkCases(architecture).map((recorded) => ({ architecture, recorded })),
);

describe.each(cases)("$architecture with $recorded.name", ({ architecture, recorded }) => {
  test("has the authors' parameters", () => {
    const parameters = newModel(architecture, recorded.options).parameters();
    const shapes = Object.fromEntries([...parameters].map(([name, { shape }]) => [name, shape]));
    expect(shapes).toEqual(recorded.parameters);
  });

  test.each(Object.keys(backends))(
    "predicts and differentiates as PyTorch does, on %s",
    async (name) => {
      await checkDeviations(architecture, recorded, backends[name]);
    },
    60_000,
  );
});

test("a checkpoint of the authors' DiT is read, its table of positions too", async () => {
  const path = new URL("fixtures/networks/dit.pt", import.meta.url);
  const { tensors } = parsePytorch(new Uint8Array(readFileSync(path)), "dit.pt");
  expect(tensors.get("pos_embed")?.shape).toEqual([1, 16, 8]);
  const state = new Map([...tensors].map(([name, tensor]) => [name, ndarray(toFloat32(tensor), tensor.shape)]));
  const model = newModel("dit", { channels: 4, hiddenSize: 8, depth: 1, numHeads: 2, numClasses: 3, outDim: 8 });
  await model.loadStateDict(state);
  const name = "blocks.0.attn.qkv.weight";
  expect((await model.stateDict()).get(name)?.data).toEqual(state.get(name)?.data);
});

const fault = await whyNoWebGpu();

// A driver in software compiles a shader in a tenth of a second: one case of each network will do.
test.for(["adm", "dit"])("%s agrees with PyTorch on webgpu", { timeout: 180_000 }, async (architecture, { skip }) => {
  if (fault !== undefined) skip(fault);
  const [smallest] = networkCases(architecture).toSorted((a, b) => parameterCount(a) - parameterCount(b));
  const backend = await createWebGpuBackend();
  await checkDeviations(architecture, smallest, backend);
  await backend.close();
});

function parameterCount({ parameters }: NetworkCase): number {
  return Object.keys(parameters).length;
}
