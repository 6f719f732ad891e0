import { MAP_READ, USAGE } from "./device.ts";
import type { Device } from "./device.ts";

const WORKGROUP = 256;

/** What a kernel may ask for where subgroups are of several sizes. */
const SIZE_CONTROL = "subgroup-size-control" as GPUFeatureName;
/** What matrix units and most GPUs work with. */
const USUAL_SIZE = 32;

/** Invocations that exchange values without memory, in runs by their numbers. */
export interface Subgroups {
  readonly size: number;
  /** Whether a kernel gets them of this size only if it asks for them. */
  readonly isPinned: boolean;
}

/**
 * The subgroups of a device whose size is fixed or can be, if neighbours by number are neighbours there: no
 * specification says so, but kernels that add up rows rely on it.
 */
export async function subgroupsOf({ gpu, info }: Device): Promise<Subgroups | undefined> {
  const { subgroupMinSize: least, subgroupMaxSize: most } = info;
  const isPinned = least !== most;
  if (!gpu.features.has("subgroups") || most < 2 || (isPinned && !gpu.features.has(SIZE_CONTROL))) return undefined;
  const size = isPinned ? Math.max(least, Math.min(most, USUAL_SIZE)) : most;
  // Some that offer subgroups refuse the line that enables them (naga, in Firefox).
  gpu.pushErrorScope("validation");
  const module = gpu.createShaderModule({ code: placesShader(isPinned ? size : undefined) });
  const compiled = gpu.createComputePipelineAsync({ layout: "auto", compute: { module } }).catch(() => undefined);
  const fault = await gpu.popErrorScope();
  const pipeline = await compiled;
  if (fault !== null || pipeline === undefined) return undefined;
  const places = gpu.createBuffer({ size: 4 * WORKGROUP, usage: USAGE.storage | USAGE.copySource });
  const staging = gpu.createBuffer({ size: 4 * WORKGROUP, usage: USAGE.mapRead | USAGE.copyTarget });
  const encoder = gpu.createCommandEncoder();
  const pass = encoder.beginComputePass();
  pass.setPipeline(pipeline);
  const entries = [{ binding: 0, resource: { buffer: places } }];
  pass.setBindGroup(0, gpu.createBindGroup({ layout: pipeline.getBindGroupLayout(0), entries }));
  pass.dispatchWorkgroups(1);
  pass.end();
  encoder.copyBufferToBuffer(places, 0, staging, 0, staging.size);
  gpu.queue.submit([encoder.finish()]);
  await staging.mapAsync(MAP_READ);
  const firsts = new Uint32Array(staging.getMappedRange().slice(0));
  for (const buffer of [places, staging]) buffer.destroy();
  return firsts.every((first, i) => first === i - (i % size)) ? { size, isPinned } : undefined;
}

/** For every invocation the first of its subgroup, if the others follow it in order. */
const placesShader = (pinned: number | undefined): string => `enable subgroups;
${pinned === undefined ? "" : "enable subgroup_size_control;"}
@group(0) @binding(0) var<storage, read_write> firsts: array<u32>;
@compute @workgroup_size(${WORKGROUP})${pinned === undefined ? "" : ` @subgroup_size(${pinned})`}
fn main(@builtin(local_invocation_index) local: u32, @builtin(subgroup_invocation_id) place: u32) {
  let first = subgroupBroadcastFirst(local);
  firsts[local] = select(0xffffffffu, first, first + place == local);
}`;
