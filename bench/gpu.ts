// Eight minutes on a machine with a GPU: what it is, whether it computes the same, what it does at most, and the training
// steps and passes that people run, beside PyTorch on the same GPU where a python with torch and CUDA is there:
//   node_modules/.bin/node bench/gpu.ts --out gpu.json
// Everything goes to one JSON file, which is written after each part, so that a run that ends early leaves what it has.
import { Command } from "commander";
import { report } from "../src/cli/failure.ts";
import { numberFlag } from "../src/cli/flags/flags.ts";
import { wholeNumber } from "../src/config/rules.ts";
import { writeFileAtomic } from "../src/io/atomic.node.ts";
import { benchEnvironment } from "../src/bench/environment.node.ts";
import { isSoftware } from "../src/backend/webgpu/webgpu-backend.ts";
import { subgroupMatrixConfigsOf } from "../src/backend/webgpu/runtime/matrix-unit.ts";
import { measureMachine } from "./gpu/machine.ts";
import { SMALL, WHOLE } from "./gpu/plan.ts";
import { compareValues, hasClock, profileStep, raceSteps, timeStableDiffusion } from "./gpu/sections.ts";
import { experiments, variants, withVariant } from "./gpu/variants.ts";

interface Flags {
  readonly out: string;
  readonly seconds: number;
  readonly python?: string;
  readonly small?: boolean;
}

const flags = new Command("node bench/gpu.ts")
  .description("Measure a GPU for eight minutes, beside PyTorch where that is there, and write one JSON file.")
  .option("--out <path>", "the file to write", "gpu.json")
  .option("--seconds <n>", "begin no part after so long", numberFlag(wholeNumber(1)), 480)
  .option("--python <path>", "a python that has torch with CUDA (default: python3)")
  .option("--small", "tiny sizes, on any GPU and beside any torch: to try the run itself")
  .parse()
  .opts<Flags>();

const start = performance.now();
const elapsed = (): number => (performance.now() - start) / 1000;
const results: Record<string, unknown> = { environment: benchEnvironment() };

/** One part of the run; what goes wrong in it is its result, and the run goes on. */
async function part(name: string, work: () => Promise<unknown>): Promise<void> {
  const begin = elapsed();
  if (begin > flags.seconds) {
    results[name] = { skipped: `${Math.round(begin)} s had passed` };
  } else {
    process.stderr.write(`${begin.toFixed(0).padStart(4)} s  ${name}\n`);
    results[name] = await work().catch((error: unknown) => ({ error: String(error).split("\n", 1)[0] }));
  }
  await writeFileAtomic(flags.out, `${JSON.stringify({ ...results, seconds: elapsed() }, undefined, 2)}\n`);
}

try {
  const isSmall = flags.small === true;
  const plan = isSmall ? SMALL : WHOLE;
  const [single, half] = variants;
  const python = flags.python ?? (isSmall ? undefined : "python3");
  const times = await withVariant(single, async (backend) => {
    const { adapterInfo: info, limits, features } = backend.device;
    if (isSoftware(info) && !isSmall)
      throw new Error(`gpu: ${backend.description} is one in software; --small tries the run`);
    await part("device", async () => ({
      description: backend.description,
      vendor: info.vendor,
      architecture: info.architecture,
      subgroupSizes: [info.subgroupMinSize, info.subgroupMaxSize],
      matrixConfigs: subgroupMatrixConfigsOf(info),
      features: [...features].toSorted(),
      limits: {
        maxBufferSize: limits.maxBufferSize,
        maxStorageBufferBindingSize: limits.maxStorageBufferBindingSize,
        maxStorageBuffersPerShaderStage: limits.maxStorageBuffersPerShaderStage,
        maxComputeWorkgroupStorageSize: limits.maxComputeWorkgroupStorageSize,
        maxComputeInvocationsPerWorkgroup: limits.maxComputeInvocationsPerWorkgroup,
      },
    }));
    await part("machine", () => measureMachine(backend.device, plan));
    return hasClock(backend);
  });
  await part("values", () => compareValues(plan));
  await part("article", () => raceSteps(plan.article, plan.rounds, python, isSmall));
  if (times)
    for (const variant of [single, half])
      await part(`article, ${variant.name}, kernels`, () => profileStep(plan.article, variant));
  for (const wide of plan.wide) {
    await part(`${wide.title}, batch ${wide.batchSize}`, () => raceSteps(wide, 1, python, isSmall));
    if (times) await part(`${wide.title}, batch ${wide.batchSize}, f16, kernels`, () => profileStep(wide, half));
  }
  for (const variant of [half, single])
    await part(`Stable Diffusion's size, ${variant.name}`, () => timeStableDiffusion(plan, variant));
  await part("experiments", async () => {
    const { steps } = plan.article;
    const seconds: Record<string, unknown> = {};
    for (const variant of [single, ...experiments])
      seconds[variant.name] = await raceSteps({ ...plan.article, steps }, 1, undefined, isSmall, [variant]);
    return seconds;
  });
  process.stderr.write(`${elapsed().toFixed(0).padStart(4)} s  wrote ${flags.out}\n`);
  process.stdout.write(`${JSON.stringify({ ...results, seconds: elapsed() })}\n`);
} catch (error) {
  process.exitCode = report(error);
}
