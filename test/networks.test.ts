import { afterAll, describe, expect, test } from "vitest";
import type { Backend } from "../src/backend/backend.ts";
import { ReferenceBackend } from "../src/backend/reference/backend.ts";
import { createWasmBackend } from "../src/backend/wasm/wasm-backend.node.ts";
import { createWebGpuBackend } from "../src/backend/webgpu/webgpu-backend.node.ts";
import { newModel } from "../src/models/registry.ts";
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
