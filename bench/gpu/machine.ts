import { measureWebGpuPeak } from "../../src/bench/webgpu-peak.ts";
import { medianOf } from "../../src/bench/statistics.ts";
import type { GpuPlan } from "./plan.ts";

const ROUNDS = 5;
/** GPUBufferUsage and GPUMapMode. */
const [STORAGE, COPY_SOURCE, COPY_TARGET, MAP_READ] = [0x80, 4, 8, 1];

/** What a GPU does at most, and what it costs to ask for something. */
export async function measureMachine(device: GPUDevice, { copyBytes, dispatches }: GpuPlan) {
  return {
    flopsPerSecond: await measureWebGpuPeak(device),
    copiedBytesPerSecond: await copySpeed(device, copyBytes),
    dependentDispatch: await dispatchCost(device, dispatches, true),
    independentDispatch: await dispatchCost(device, dispatches, false),
    readBackSeconds: await readBack(device),
  };
}

/** Bytes that are read and written again, each counted once. */
async function copySpeed(device: GPUDevice, size: number): Promise<number> {
  const usage = COPY_SOURCE | COPY_TARGET;
  const [from, to] = [device.createBuffer({ size, usage }), device.createBuffer({ size, usage })];
  const seconds = await medianSeconds(device, (encoder) => {
    for (let i = 0; i < 10; i++) encoder.copyBufferToBuffer(from, 0, to, 0, size);
  });
  for (const buffer of [from, to]) buffer.destroy();
  return (2 * 10 * size) / seconds.gpu;
}

/** Seconds of a dispatch that does next to nothing: those that depend write one buffer, and the others one each of some. */
async function dispatchCost(device: GPUDevice, count: number, depends: boolean) {
  const module = device.createShaderModule({
    code: `@group(0) @binding(0) var<storage, read_write> numbers: array<f32>;
@compute @workgroup_size(64)
fn main(@builtin(local_invocation_index) local: u32) { numbers[local] += 1f; }`,
  });
  const pipeline = await device.createComputePipelineAsync({ layout: "auto", compute: { module } });
  const buffers = Array.from({ length: depends ? 1 : 64 }, () => device.createBuffer({ size: 256, usage: STORAGE }));
  const layout = pipeline.getBindGroupLayout(0);
  const groups = buffers.map((buffer) =>
    device.createBindGroup({ layout, entries: [{ binding: 0, resource: { buffer } }] }),
  );
  const seconds = await medianSeconds(device, (encoder) => {
    const pass = encoder.beginComputePass();
    pass.setPipeline(pipeline);
    for (let i = 0; i < count; i++) {
      pass.setBindGroup(0, groups[i % groups.length]);
      pass.dispatchWorkgroups(1);
    }
    pass.end();
  });
  for (const buffer of buffers) buffer.destroy();
  return { encodeSeconds: seconds.encode / count, gpuSeconds: seconds.gpu / count };
}

/** Seconds from a submission of nothing to its 256 bytes on the host. */
async function readBack(device: GPUDevice): Promise<number> {
  const buffer = device.createBuffer({ size: 256, usage: STORAGE | COPY_SOURCE });
  const staging = device.createBuffer({ size: 256, usage: MAP_READ | COPY_TARGET });
  const seconds: number[] = [];
  for (let round = 0; round < ROUNDS; round++) {
    const start = performance.now();
    const encoder = device.createCommandEncoder();
    encoder.copyBufferToBuffer(buffer, 0, staging, 0, 256);
    device.queue.submit([encoder.finish()]);
    await staging.mapAsync(MAP_READ);
    seconds.push((performance.now() - start) / 1000);
    staging.unmap();
  }
  for (const each of [buffer, staging]) each.destroy();
  return medianOf(seconds);
}

async function medianSeconds(device: GPUDevice, encode: (encoder: GPUCommandEncoder) => void) {
  const times: { encode: number; gpu: number }[] = [];
  for (let round = 0; round < ROUNDS; round++) {
    const start = performance.now();
    const encoder = device.createCommandEncoder();
    encode(encoder);
    const commands = encoder.finish();
    const encoded = performance.now();
    device.queue.submit([commands]);
    await device.queue.onSubmittedWorkDone();
    times.push({ encode: (encoded - start) / 1000, gpu: (performance.now() - encoded) / 1000 });
  }
  return { encode: medianOf(times.map((each) => each.encode)), gpu: medianOf(times.map((each) => each.gpu)) };
}
