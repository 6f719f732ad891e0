import { joinAlike } from "../../../compiler/joining/join.ts";
import { compileGraph } from "../../../compiler/compiler.ts";
import { writesOf } from "../../../compiler/accesses.ts";
import type { Kernel, Program } from "../../../compiler/program.ts";
import type { Graph } from "../../../tensor/graph.ts";
import { joiningFor } from "./joining.ts";
import { webgpuTarget } from "./webgpu-target.ts";
import type { Precision } from "../../common/precision.ts";
import type { AdapterTraits } from "../emit/adapter.ts";
import type { Dispatch } from "../emit/dispatch.ts";
import { planSlots } from "../emit/slots.ts";
import type { SlotPlan } from "../emit/slots.ts";
import { storageOf } from "../emit/storage.ts";
import type { Storage } from "../emit/storage.ts";
import { emitKernel } from "../kernels/kernels.ts";
import { splitReductions } from "../kernels/reduce/parts.ts";
import { splitContractions } from "../kernels/split.ts";
import type { Tile } from "../kernels/tile.ts";
import { RADEON_680M, secondsOf } from "./time-model.ts";

/** A graph as kernels that a GPU runs one after another, and how their buffers lie in memory. */
export interface ScheduledProgram {
  readonly program: Program;
  readonly storage: Storage;
}

/** The same as compute shaders: all that a device has to be given, found without one. */
export interface GpuProgram extends ScheduledProgram {
  readonly dispatches: readonly Dispatch[];
  /** What each dispatch takes on an integrated GPU, by the model of time. */
  readonly seconds: readonly number[];
  readonly plan: SlotPlan;
}

export function scheduleProgram(graph: Graph, precision: Precision, adapter: AdapterTraits): ScheduledProgram {
  const compiled = compileGraph(graph, webgpuTarget);
  const work = compiled.kernels.filter((kernel) => writesOf(kernel).some(({ length }) => length > 0));
  const split = { ...compiled, kernels: splitContractions(work, adapter) };
  const storage = storageOf(split, precision);
  // What is left of a reduction's few results may be enough, those of several taken together.
  const joined = joinAlike(split, joiningFor(storage));
  return { program: { ...joined, kernels: splitReductions(joined.kernels) }, storage };
}

/** @param tiles those of products for which others than the usual ones are known to be faster */
export function emitProgram(
  { program, storage }: ScheduledProgram,
  adapter: AdapterTraits,
  tiles: ReadonlyMap<Kernel, Tile> = new Map(),
): GpuProgram {
  const dispatches = program.kernels.map((kernel) => emitKernel(kernel, storage, adapter, tiles.get(kernel)));
  const seconds = program.kernels.map((kernel, i) => secondsOf(kernel, dispatches[i], storage, adapter, RADEON_680M));
  return { program, storage, dispatches, seconds, plan: planSlots(program, storage, dispatches) };
}
