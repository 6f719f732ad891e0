import { test, vi } from "vitest";
import { createWebGpuBackend } from "../../src/backend/webgpu/webgpu-backend.node.ts";
import { whyNoWebGpu } from "../support/webgpu.ts";
import { describeBackend } from "./contract.ts";

// A driver in software compiles a shader in a tenth of a second.
vi.setConfig({ testTimeout: 120_000, hookTimeout: 60_000 });

const fault = await whyNoWebGpu();

/** How far a number that is rounded to a half may be off, relative: halves have 11 bits. */
const HALF_UNIT = 2 ** -11;

if (fault === undefined) {
  describeBackend("webgpu in half precision", () => createWebGpuBackend({ precision: "f16" }), {
    // As in single precision: only products, and what is kept between them, are of halves.
    arithmetic: 4.5 * 2 ** -23,
    denormals: false,
    // Both factors are rounded, then added up as floats.
    product: 2 * HALF_UNIT + 4e-6,
    rounding: HALF_UNIT,
    storage: HALF_UNIT,
    randomGraphs: 20,
  });
} else {
  test("webgpu backend in half precision", ({ skip }) => skip(fault));
}
