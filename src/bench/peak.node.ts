import { assemble } from "../backend/wasm/runtime/assembler.ts";
import { Heap } from "../backend/wasm/runtime/heap.ts";
import type { Features } from "../backend/wasm/program/module.ts";
import { Team } from "../backend/wasm/runtime/team.ts";
import { startWorker } from "../backend/wasm/runtime/platform.node.ts";

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
  const team = Team.start(workers, heap.memory);
  try {
    await team.load(0, await WebAssembly.compile(await assemble(peakModule(tile, features), features)));
    const scratches = heap.allocate(threads * AREA_BYTES);
    const flops = threads * CALLS * DEPTH * tile.rows * tile.vectors * LANES * 2;
    let best = 0;
    for (let round = 0; round < ROUNDS; round++) {
      const start = performance.now();
      await team.run(0, { scratches, table: 0, tableEnd: 0 });
      best = Math.max(best, (flops / (performance.now() - start)) * 1000);
    }
    return best;
  } finally {
    await team.stop();
  }
}

/**
 * A module with the interface of a compiled program. Its numbers are all 0: memory is fresh, and zeros take as long
 * as others. V8 merges the accumulators in pairs because they are loaded and stored side by side.
 */
function peakModule({ rows, vectors }: Tile, { relaxed }: Features): string {
  const names = Array.from({ length: rows * vectors }, (_, i) => `$sum${i}`);
  const factors = Array.from({ length: vectors }, (_, i) => `$factor${i}`);
  const multiplyAdd = (sum: string, factor: string): string =>
    relaxed
      ? `(f32x4.relaxed_madd (local.get $x) (local.get ${factor}) (local.get ${sum}))`
      : `(f32x4.add (f32x4.mul (local.get $x) (local.get ${factor})) (local.get ${sum}))`;
  const load = (name: string, i: number): string =>
    `(local.set ${name} (v128.load offset=${16 * i} (local.get $area)))`;
  return `(module
(import "unnoise" "memory" (memory 1 65536 shared))
(func $work (param $area i32) (local $n i32) (local $x v128)
${[...names, ...factors].map((name) => `(local ${name} v128)`).join(" ")}
(local.set $x (v128.load32_splat offset=2048 (local.get $area)))
${factors.map(load).join("\n")}
${names.map(load).join("\n")}
(local.set $n (i32.const ${DEPTH}))
(loop $again
${names.map((name, i) => `(local.set ${name} ${multiplyAdd(name, factors[i % vectors])})`).join("\n")}
(br_if $again (local.tee $n (i32.sub (local.get $n) (i32.const 1)))))
${names.map((name, i) => `(v128.store offset=${16 * i} (local.get $area) (local.get ${name}))`).join("\n")})
(func (export "run") (param $thread i32) (param $threads i32) (param $scratches i32) (param $step i32) (param $end i32) (param $timed i32)
(local $calls i32)
(local.set $calls (i32.const ${CALLS}))
(loop $again
(call $work (i32.add (local.get $scratches) (i32.mul (local.get $thread) (i32.const ${AREA_BYTES}))))
(br_if $again (local.tee $calls (i32.sub (local.get $calls) (i32.const 1)))))))`;
}
