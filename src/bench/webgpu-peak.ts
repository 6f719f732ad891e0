/** Multiply-adds in turn of each accumulator, and invocations: some milliseconds of a large GPU, a second of a small one. */
const DEPTH = 2048;
const ACCUMULATORS = 8;
const LANES = 4;
const WORKGROUP = 256;
const WORKGROUPS = 1024;
const ROUNDS = 5;

/** The most floating-point operations per second that a GPU reaches in WGSL: multiply-adds in registers alone. */
export async function measureWebGpuPeak(device: GPUDevice): Promise<number> {
  const module = device.createShaderModule({ code: peakShader() });
  const pipeline = await device.createComputePipelineAsync({ layout: "auto", compute: { module } });
  const buffer = device.createBuffer({ size: 16 * WORKGROUP, usage: 0x80 }); // GPUBufferUsage.STORAGE
  const group = device.createBindGroup({
    layout: pipeline.getBindGroupLayout(0),
    entries: [{ binding: 0, resource: { buffer } }],
  });
  // A device in software takes minutes for what a GPU does at once.
  let workgroups = 1;
  let best = 0;
  for (let round = 0; round < ROUNDS;) {
    const seconds = await time(device, pipeline, group, workgroups);
    best = Math.max(best, (2 * workgroups * WORKGROUP * ACCUMULATORS * LANES * DEPTH) / seconds);
    if (seconds < 0.005 && workgroups < WORKGROUPS) workgroups *= 4;
    else round++;
  }
  buffer.destroy();
  return best;
}

async function time(
  device: GPUDevice,
  pipeline: GPUComputePipeline,
  group: GPUBindGroup,
  workgroups: number,
): Promise<number> {
  const encoder = device.createCommandEncoder();
  const pass = encoder.beginComputePass();
  pass.setPipeline(pipeline);
  pass.setBindGroup(0, group);
  pass.dispatchWorkgroups(workgroups);
  pass.end();
  await device.queue.onSubmittedWorkDone();
  const start = performance.now();
  device.queue.submit([encoder.finish()]);
  await device.queue.onSubmittedWorkDone();
  return (performance.now() - start) / 1000;
}

function peakShader(): string {
  const sums = Array.from({ length: ACCUMULATORS }, (_, i) => `sum${i}`);
  return `@group(0) @binding(0) var<storage, read_write> numbers: array<vec4<f32>>;
@compute @workgroup_size(${WORKGROUP})
fn main(@builtin(local_invocation_index) local: u32) {
  let x = numbers[local];
${sums.map((sum, i) => `  var ${sum} = x + ${i}f;`).join("\n")}
  for (var i = 0; i < ${DEPTH}; i++) {
${sums.map((sum) => `    ${sum} = fma(x, ${sum}, x);`).join("\n")}
  }
  numbers[local] = ${sums.join(" + ")};
}`;
}
