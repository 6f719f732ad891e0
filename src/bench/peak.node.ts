import { br_if, call, local } from "../backend/wasm/assembly/control-instructions.ts";
import { encodeModule } from "../backend/wasm/assembly/encode-module.ts";
import { FunctionBuilder } from "../backend/wasm/assembly/function-builder.ts";
import type { FunctionDefinition } from "../backend/wasm/assembly/function-builder.ts";
import { ModuleBuilder } from "../backend/wasm/assembly/module-builder.ts";
import { i32 } from "../backend/wasm/assembly/scalar-instructions.ts";
import { v128 } from "../backend/wasm/assembly/vector-instructions.ts";
import { multiplyAdd } from "../backend/wasm/kernels/micro-kernel.ts";
import type { Features } from "../backend/wasm/program/module.ts";
import { RUN_PARAMETERS } from "../backend/wasm/program/run-function.ts";
import { Heap } from "../backend/wasm/runtime/heap.ts";
import { startWorker } from "../backend/wasm/runtime/platform.node.ts";
import { ThreadPool } from "../backend/wasm/runtime/thread-pool.ts";
import { range } from "../tensor/shape.ts";

/** Accumulators in rows of adjacent vectors: enough to keep two multiply-add units busy, few enough for 15 registers. */
interface Tile {
  readonly rows: number;
  readonly vectors: number;
}

const WIDE_TILE: Tile = { rows: 5, vectors: 4 };
const NARROW_TILE: Tile = { rows: 5, vectors: 2 };

/** Multiply-adds in turn of each accumulator, some microseconds, and how often that is called in a round. */
const DEPTH = 1000;
const CALLS = 1500;
/** The first rounds run code that is not optimised yet; the best round counts. */
const ROUNDS = 16;
const LANES = 4;
const AREA_BYTES = 4096;

/**
 * The most floating-point operations per second that all threads together reach in WebAssembly: multiply-adds in
 * registers alone. V8's flag for 256 bits must stand as it does for the backend that is compared with.
 */
export async function measurePeak(features: Features, threads: number): Promise<number> {
  const tile = features.wide ? WIDE_TILE : NARROW_TILE;
  const heap = new Heap(true);
  const workers = Array.from({ length: threads }, () => startWorker());
  const pool = ThreadPool.start(workers, heap.memory);
  try {
    await pool.load(0, await WebAssembly.compile(encodeModule(peakModule(tile, features))));
    const scratches = heap.allocate(threads * AREA_BYTES);
    const flops = threads * CALLS * DEPTH * tile.rows * tile.vectors * LANES * 2;
    let best = 0;
    for (let round = 0; round < ROUNDS; round++) {
      const start = performance.now();
      await pool.run(0, { scratches, table: 0, tableEnd: 0 });
      best = Math.max(best, (flops / (performance.now() - start)) * 1000);
    }
    return best;
  } finally {
    await pool.stop();
  }
}

/**
 * A module with the interface of a compiled program. Its numbers are all 0: memory is fresh, and zeros take as long
 * as others. V8 merges the accumulators in pairs because they are loaded and stored side by side.
 */
function peakModule(tile: Tile, { relaxed }: Features): ModuleBuilder {
  const module = new ModuleBuilder();
  const memory = { minimum: 1, maximum: 65536, shared: true };
  module.import({ module: "unnoise", field: "memory", kind: "memory", memory });
  const work = workFunction(tile, relaxed);
  const code = new FunctionBuilder();
  const [thread, , scratches] = RUN_PARAMETERS.map((name) => code.parameter(name, "i32"));
  const calls = code.local("i32", CALLS);
  code.loop((again) => {
    code.emit(call(work, i32.add(scratches, i32.mul(thread, AREA_BYTES))));
    code.emit(br_if(again, local.tee(calls, i32.sub(calls, 1))));
  });
  module.export("run", code.finish("run"));
  return module;
}

/** Multiply-adds of all accumulators in turn, which it loads from an area of memory and stores there. */
function workFunction({ rows, vectors }: Tile, relaxed: boolean): FunctionDefinition<undefined> {
  const code = new FunctionBuilder();
  const area = code.parameter("area", "i32");
  const left = code.local("v128", v128.load32_splat(area, AREA_BYTES / 2));
  const factors = range(vectors).map((i) => code.local("v128", v128.load(area, 16 * i)));
  const sums = range(rows * vectors).map((i) => code.local("v128", v128.load(area, 16 * i)));
  const rounds = code.local("i32", DEPTH);
  code.loop((again) => {
    sums.forEach((sum, i) => code.set(sum, multiplyAdd(left, factors[i % vectors], sum, relaxed)));
    code.emit(br_if(again, local.tee(rounds, i32.sub(rounds, 1))));
  });
  sums.forEach((sum, i) => code.emit(v128.store(area, sum, 16 * i)));
  return code.finish("work");
}
