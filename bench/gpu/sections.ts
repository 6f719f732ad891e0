import { ndarray } from "../../src/tensor/ndarray.ts";
import type { NdArray } from "../../src/tensor/ndarray.ts";
import { sizeOf } from "../../src/tensor/shape.ts";
import type { Shape } from "../../src/tensor/shape.ts";
import { compile } from "../../src/backend/compile.ts";
import type { Backend } from "../../src/backend/backend.ts";
import type { WebGpuBackend } from "../../src/backend/webgpu/webgpu-backend.ts";
import { createWasmBackend } from "../../src/backend/wasm/wasm-backend.node.ts";
import { isProfiled, groupByKind, profileKernels } from "../../src/bench/profile.ts";
import { stableDiffusionGraph } from "../../src/bench/gpu/stable-diffusion.ts";
import { spreadOf } from "../../src/bench/statistics.ts";
import type { Spread } from "../../src/bench/statistics.ts";
import { Random } from "../../src/nn/init.ts";
import { GpuPeer } from "./peer.ts";
import { withVariant } from "./variants.ts";
import type { Variant } from "./variants.ts";
import type { GpuPlan, StepPlan } from "./plan.ts";
import { TimedTraining } from "./training.ts";

/** How far products are from the processor's, of their largest, and losses of three steps beside the processor's. */
export async function compareValues({ product, article }: GpuPlan, ours: readonly Variant[], signal: AbortSignal) {
  const random = new Random(1);
  const matrix = (): NdArray => uniform(random, [product, product]);
  const inputs = { a: matrix(), b: matrix() };
  const multiply = async (backend: Backend): Promise<Float32Array> =>
    Float32Array.from((await compile(backend, ({ a, b }) => ({ outputs: { y: a.matmul(b) } }))(inputs)).y.data);
  const lossesOf = (backend: Backend): Promise<number[]> =>
    withTraining(backend, { ...article, steps: 1 }, signal, (training) => training.losses(3));
  const processor = await createWasmBackend();
  try {
    const [expected, losses] = [await multiply(processor), await lossesOf(processor)];
    const largest = expected.reduce((most, value) => Math.max(most, Math.abs(value)), 0);
    const results: Record<string, { readonly product: number; readonly losses: readonly number[] }> = {};
    for (const variant of ours.filter(() => !signal.aborted))
      results[variant.name] = await withVariant(variant, async (backend) => {
        const values = await multiply(backend);
        const error = values.reduce((most, value, i) => Math.max(most, Math.abs(value - expected[i])), 0);
        return { product: error / largest, losses: await lossesOf(backend) };
      });
    return { processor: { losses }, ...results };
  } finally {
    await processor.close();
  }
}

/** PyTorch beside us. */
export interface PeerChoice {
  /** Undefined to do without. */
  readonly python?: string | undefined;
  /** Whether it may compute on the processor. */
  readonly anywhere: boolean;
}

/** Whether there is a PyTorch that takes part, and what it can do. */
export async function findPeer({ python, anywhere }: PeerChoice, signal: AbortSignal) {
  if (python === undefined) throw new Error("PyTorch takes no part, as no --python was named");
  const peer = await GpuPeer.start(python, anywhere, signal);
  await peer.close();
  return { description: peer.description, modes: peer.modes };
}

/** Our step in every variant and PyTorch's in every mode, taking turns. */
export async function raceSteps(
  plan: StepPlan,
  rounds: number,
  ours: readonly Variant[],
  { python, anywhere }: PeerChoice,
  signal: AbortSignal,
) {
  const seconds = new Map<string, number[]>();
  const note = (name: string, value: number): void => void seconds.set(name, [...(seconds.get(name) ?? []), value]);
  const faults: Record<string, string> = {};
  const peer = await (python === undefined ? undefined : GpuPeer.start(python, anywhere, signal))?.catch(
    (error: unknown) => {
      faults["PyTorch"] = String(error);
      return undefined;
    },
  );
  try {
    for (let round = 0; round < rounds && !signal.aborted; round++) {
      for (const variant of ours) {
        if (signal.aborted) break;
        await withVariant(variant, async (backend) =>
          withTraining(backend, plan, signal, async (training) => {
            // The first step compiles, and the next ones find out how fast this GPU is.
            const start = performance.now();
            await training.losses(1);
            note(`unnoise, ${variant.name}, first step`, (performance.now() - start) / 1000);
            await training.losses(Math.min(8, plan.steps));
            note(`unnoise, ${variant.name}`, await training.seconds());
          }),
        ).catch((error: unknown) => (faults[variant.name] = String(error)));
      }
      for (const mode of peer?.modes ?? []) {
        if (signal.aborted) break;
        await peer
          ?.seconds(mode, plan)
          .then((value) => note(`PyTorch, ${mode}`, value))
          .catch((error: unknown) => (faults[`PyTorch, ${mode}`] = String(error)));
      }
    }
  } finally {
    await peer?.close();
  }
  const spreads = Object.fromEntries([...seconds].map(([name, values]): [string, Spread] => [name, spreadOf(values)]));
  return { plan, peer: peer?.description, seconds: spreads, ...(Object.keys(faults).length > 0 ? { faults } : {}) };
}

/** Seconds by kind of kernel in one step, on the GPU's clock. */
export async function profileStep(plan: StepPlan, variant: Variant, signal: AbortSignal) {
  return withVariant(variant, (backend) =>
    withTraining(backend, plan, signal, async (training) => {
      await training.losses(2);
      return training.kinds();
    }),
  );
}

/** A prediction of Stable Diffusion's size. */
export async function timeStableDiffusion({ stableDiffusion }: GpuPlan, variant: Variant, signal: AbortSignal) {
  return withVariant(variant, async (backend) => {
    const graph = stableDiffusionGraph(stableDiffusion);
    const random = new Random(2);
    const inputs = graph.inputs.map(({ shape }) => uniform(random, shape));
    const start = performance.now();
    const executable = await backend.load(graph);
    await executable.run(inputs);
    const firstSeconds = (performance.now() - start) / 1000;
    const seconds: number[] = [];
    for (let i = 0; i < stableDiffusion.passes && !signal.aborted; i++) {
      const begin = performance.now();
      await executable.run(inputs);
      seconds.push((performance.now() - begin) / 1000);
    }
    const profile =
      isProfiled(executable) && hasClock(backend) && !signal.aborted
        ? groupByKind(await profileKernels(executable, inputs, { rounds: 1, forwardContractions: Infinity }))
        : [];
    executable.dispose();
    return {
      firstSeconds,
      seconds: seconds.length > 0 ? spreadOf(seconds) : undefined,
      workspaceBytes: executable.workspaceBytes,
      profile,
    };
  });
}

export function hasClock(backend: WebGpuBackend): boolean {
  return backend.device.features.has("timestamp-query");
}

async function withTraining<T>(
  backend: Backend,
  plan: StepPlan,
  signal: AbortSignal,
  use: (training: TimedTraining) => Promise<T>,
): Promise<T> {
  const training = new TimedTraining(backend, plan, signal);
  try {
    return await use(training);
  } finally {
    await training.close();
  }
}

function uniform(random: Random, shape: Shape): NdArray {
  return ndarray(
    Float32Array.from({ length: sizeOf(shape) }, () => random.uniform() - 0.5),
    shape,
  );
}
