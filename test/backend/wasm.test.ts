import { createWasmBackend } from "../../src/backend/wasm/wasm-backend.node.ts";
import { describeBackend } from "./contract.ts";
import { describeMemory } from "./ownership-suite.ts";

/** As many kernels as can run on halves of what their outermost axis counts. */
const chains = { fewestSlices: 2, leastBytes: 0, slices: 2 };

describeBackend("wasm, 256-bit SIMD, 2 threads", () => createWasmBackend({ threads: 2 }));
describeBackend("wasm, 128-bit SIMD, 1 thread, slice by slice", () =>
  createWasmBackend({ threads: 1, wide: false, chains }),
);

describeMemory(() => createWasmBackend({ threads: 2 }));
