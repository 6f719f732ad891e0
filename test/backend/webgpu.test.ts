import { test, vi } from "vitest";
import { createWebGpuBackend } from "../../src/backend/webgpu/webgpu-backend.node.ts";
import { whyNoWebGpu } from "../support/webgpu.ts";
import { describeBackend } from "./contract.ts";
import { describeMemory } from "./ownership-suite.ts";

// A driver in software compiles a shader in a tenth of a second.
vi.setConfig({ testTimeout: 120_000, hookTimeout: 60_000 });

const fault = await whyNoWebGpu();

if (fault === undefined) {
  describeBackend("webgpu", () => createWebGpuBackend(), {
    // WGSL allows a division 2.5 units in the last place and an inverse square root 2, and a square root is one over the other.
    arithmetic: 4.5 * 2 ** -23,
    // WGSL lets a device flush what is smaller than a normal number.
    denormals: false,
    randomGraphs: 60,
  });
  describeMemory(() => createWebGpuBackend());
} else {
  test("webgpu backend", ({ skip }) => skip(fault));
}
