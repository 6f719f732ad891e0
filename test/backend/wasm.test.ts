import { createWasmBackend } from "../../src/backend/wasm/wasm-backend.node.ts";
import { describeBackend } from "./contract.ts";

describeBackend("wasm, 256-bit SIMD, 2 threads", () => createWasmBackend({ threads: 2 }));
describeBackend("wasm, 128-bit SIMD, 1 thread", () => createWasmBackend({ threads: 1, wide: false }));
