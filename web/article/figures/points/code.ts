import { importsOf } from "../common/code.ts";
import { BATCH, POINTS, TIMESTEPS } from "./model.ts";

/** @param points x and y in turn */
export function pointsCode(points: Float32Array, seed: number, steps: number): string {
  const rounded = Array.from(points, (value) => Number(value.toFixed(3)));
  const names =
    "Adam GaussianDiffusion Linear Module Random RandomStream compile concatenate defaultBackend grad ndarray silu timestepEmbedding valueOf";
  return `${importsOf(...names.split(" "))}import type { Denoiser, Tensor } from "unnoise";

const drawn = [${rounded.join(", ")}];
// As many rows as the program expects: the points in turn.
const rows = Array.from({ length: 2 * ${POINTS} }, (_, i) => drawn[i % drawn.length]);
const points = ndarray(Float32Array.from(rows), [${POINTS}, 2]);

class PointNetwork extends Module implements Denoiser {
  readonly channels = 2;
  readonly layers: readonly Linear[];

  constructor(random: Random) {
    super();
    this.layers = [new Linear(34, 128, { random }), new Linear(128, 128, { random }), new Linear(128, 128, { random }), new Linear(128, 2, { random })];
    this.labelParameters();
  }

  forward(x: Tensor, t: Tensor): Tensor {
    const [first, second, third, last] = this.layers;
    const seen = concatenate([x.reshape([-1, 2]), timestepEmbedding(t, 32)], 1);
    return last.forward(silu(third.forward(silu(second.forward(silu(first.forward(seen))))))).reshape(x.shape);
  }
}

const diffusion = new GaussianDiffusion({ timesteps: ${TIMESTEPS}, betaSchedule: "cosine" });
const network = new PointNetwork(new Random(${seed}));
const parameters = [...network.parameters().values()];
const adam = new Adam(parameters, { learningRate: 2e-3 });
const step = compile(await defaultBackend(), ({ points, seed, count }) => {
  const random = new RandomStream([seed, count]);
  const x0 = points.gather(random.integers([${BATCH}], ${POINTS})).reshape([${BATCH}, 1, 1, 2]);
  const t = diffusion.drawTimes(random, ${BATCH});
  const loss = diffusion.losses(network, x0, t, random.normal(x0.shape)).mean();
  return { outputs: { loss }, updates: adam.updates(grad(loss, parameters.map(valueOf))) };
});
const word = (value: number) => ndarray([value], [], "u32");
for (let i = 0; i < ${steps}; i++) {
  const { loss } = await step({ points, seed: word(${seed}), count: word(i) });
  if ((i + 1) % 100 === 0) console.log("step", i + 1, "loss", loss.data[0]);
}
const samples = await diffusion.sample(network, { batchSize: ${POINTS}, imageSize: 1, seed: ${seed}, steps: 20, sampler: "ddim" });
console.log("the first point that it draws:", ...samples.data.slice(0, 2));
`;
}
