import { test, vi } from "vitest";
import { createWebGpuBackend } from "../../src/backend/webgpu/webgpu-backend.node.ts";
import { whyNoWebGpu } from "../support/webgpu.ts";
import { describeOnBackend } from "./contract.ts";
import { describeOps } from "./op-suite.ts";
import { describeRandomGraphs, describeScenarios } from "./scenario-suite.ts";

// A driver in software compiles a shader in a tenth of a second.
vi.setConfig({ testTimeout: 120_000, hookTimeout: 60_000 });

const fault = await whyNoWebGpu();

/** How far a number that is rounded to a half may be off, relative: halves have 11 bits. */
const HALF_UNIT = 2 ** -11;

if (fault === undefined) {
  const expectations = {
    // Both factors of a product are rounded; what they give is added up as floats.
    product: 2 * HALF_UNIT + 4e-6,
    rounding: HALF_UNIT,
    storage: HALF_UNIT,
    denormals: false,
    randomGraphs: 20,
  };
  describeOnBackend(
    "webgpu in half precision",
    () => createWebGpuBackend({ precision: "f16" }),
    expectations,
    (context) => {
      // Kernels without products are the same in both precisions.
      describeOps(context, ["dot_general", "convolution", "convolution_filter_gradient"]);
      describeScenarios(context, ["contractions", "layers", "variables"]);
      describeRandomGraphs(context);
    },
  );
} else {
  test("webgpu backend in half precision", ({ skip }) => skip(fault));
}
