// Eight minutes on a machine with a GPU: what it is, whether it computes the same, what it does at most, and the training
// steps and passes that people run, beside PyTorch on the same GPU where a python with torch and CUDA is there:
//   node_modules/.bin/node bench/gpu.ts --out gpu.json
// Everything goes to one JSON file, which is written after each part. A part that goes wrong or takes too long loses no other, and
// a first Ctrl-C ends the run with what there is.
import { Command } from "commander";
import { report } from "../src/cli/failure.ts";
import { EXIT_INTERRUPTED, catchInterrupt } from "../src/cli/interrupt.ts";
import { numberFlag } from "../src/cli/flags/flags.ts";
import { wholeNumber } from "../src/config/rules.ts";
import { benchEnvironment } from "../src/bench/environment.node.ts";
import { isSoftware } from "../src/backend/webgpu/webgpu-backend.ts";
import { subgroupMatrixConfigsOf } from "../src/backend/webgpu/runtime/matrix-unit.ts";
import { measureMachine } from "./gpu/machine.ts";
import { Parts } from "./gpu/parts.ts";
import { SMALL, WHOLE } from "./gpu/plan.ts";
import { compareValues, findPeer, hasClock, profileStep, raceSteps, timeStableDiffusion } from "./gpu/sections.ts";
import { experiments, variants, withVariant } from "./gpu/variants.ts";

interface Flags {
  readonly out: string;
  readonly seconds?: number;
  readonly python?: string;
  readonly only?: string;
  readonly small?: boolean;
}

const flags = new Command("node bench/gpu.ts")
  .description(
    "Measure a GPU for eight minutes, beside PyTorch where that is there, and write one JSON file: what the GPU does at most,\n" +
      "whether it computes what the processor does, training steps in f32, f16 and without matrix units, a prediction of Stable\n" +
      "Diffusion's size, and where the time goes. The file is written after each part; Ctrl-C ends the run with what there is.",
  )
  .option("--out <path>", "the file to write", "gpu.json")
  .option(
    "--seconds <n>",
    "let no part go on after so long (default: 480, with --small 1800)",
    numberFlag(wholeNumber(1)),
  )
  .option("--python <path>", "a python that has torch with CUDA (default: python3, with --small none)")
  .option("--only <text>", 'only the parts with this in their names, such as "article"')
  .option("--small", "tiny sizes, on any GPU or a driver in software, beside any torch: to try the run itself")
  .parse()
  .opts<Flags>();

try {
  const isSmall = flags.small === true;
  const plan = isSmall ? SMALL : WHOLE;
  const { limits, article } = plan;
  const [single, half] = variants;
  const say = (line: string): void => void process.stderr.write(`${line}\n`);
  const interrupt = catchInterrupt(() =>
    say(`stopping; what is done goes to ${flags.out} (Ctrl-C again ends at once)`),
  );
  const options = {
    out: flags.out,
    seconds: flags.seconds ?? plan.seconds,
    signal: interrupt.signal,
    say,
    only: flags.only,
  };
  const parts = new Parts(options, { environment: benchEnvironment() });

  let hasTimes = false;
  let ours = variants;
  await withVariant(single, async (backend) => {
    const { adapterInfo: info, limits: most, features } = backend.device;
    if (isSoftware(info) && !isSmall)
      throw new Error(`gpu: ${backend.description} is one in software; --small tries the run`);
    hasTimes = hasClock(backend);
    // Without matrix units it is the same without them.
    if (subgroupMatrixConfigsOf(info).length === 0) ours = variants.filter(({ matrixUnits }) => matrixUnits !== false);
    await parts.run("device", limits.machine, async () => ({
      description: backend.description,
      vendor: info.vendor,
      architecture: info.architecture,
      subgroupSizes: [info.subgroupMinSize, info.subgroupMaxSize],
      matrixConfigs: subgroupMatrixConfigsOf(info),
      features: [...features].toSorted(),
      limits: {
        maxBufferSize: most.maxBufferSize,
        maxStorageBufferBindingSize: most.maxStorageBufferBindingSize,
        maxStorageBuffersPerShaderStage: most.maxStorageBuffersPerShaderStage,
        maxComputeWorkgroupStorageSize: most.maxComputeWorkgroupStorageSize,
        maxComputeInvocationsPerWorkgroup: most.maxComputeInvocationsPerWorkgroup,
      },
    }));
    await parts.run("machine", limits.machine, () => measureMachine(backend.device, plan));
  });
  let peer = { python: flags.python ?? (isSmall ? undefined : "python3"), anywhere: isSmall };
  await parts.run("PyTorch", limits.peer, async (signal) => {
    try {
      return await findPeer(peer, signal);
    } catch (error) {
      // Said once, here.
      peer = { ...peer, python: undefined };
      throw error;
    }
  });
  await parts.run("values", limits.values, (signal) => compareValues(plan, ours, signal));
  await parts.run("article", limits.article, (signal) => raceSteps(article, plan.rounds, ours, peer, signal));
  if (hasTimes)
    for (const variant of [single, half])
      await parts.run(`article, ${variant.name}, kernels`, limits.kernels, (signal) =>
        profileStep(article, variant, signal),
      );
  for (const wide of plan.wide) {
    const name = `${wide.title}, batch ${wide.batchSize}`;
    await parts.run(name, limits.wide, (signal) => raceSteps(wide, 1, ours, peer, signal));
    if (hasTimes) await parts.run(`${name}, f16, kernels`, limits.kernels, (signal) => profileStep(wide, half, signal));
  }
  for (const variant of [half, single])
    await parts.run(`Stable Diffusion's size, ${variant.name}`, limits.stableDiffusion, (signal) =>
      timeStableDiffusion(plan, variant, signal),
    );
  const alone = { anywhere: isSmall };
  for (const variant of [single, ...experiments])
    await parts.run(`experiment: ${variant.name}`, limits.experiments, (signal) =>
      raceSteps(article, 1, [variant], alone, signal),
    );
  parts.say(`wrote ${flags.out}`);
  process.stdout.write(`${JSON.stringify(parts.results)}\n`, () =>
    // A part that was left behind would keep the process.
    process.exit(interrupt.signal.aborted ? EXIT_INTERRUPTED : 0),
  );
} catch (error) {
  process.exitCode = report(error);
}
