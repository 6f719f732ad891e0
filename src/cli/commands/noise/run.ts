import { compile } from "../../../backend/compile.ts";
import { GaussianDiffusion } from "../../../diffusion/gaussian-diffusion.ts";
import { betaSchedule } from "../../../diffusion/process/schedules.ts";
import type { BetaSchedule } from "../../../diffusion/process/schedules.ts";
import { decodeImage } from "../../../io/images/images.node.ts";
import { fromBytes } from "../../../io/images/pixels.ts";
import { ndarray } from "../../../tensor/ndarray.ts";
import { RandomStream } from "../../../tensor/random.ts";
import { withDevice } from "../../flags/device.ts";
import { checkGridSize, writeGrid } from "../../output/pictures.ts";
import { print } from "../../output/print.ts";
import { checkPlace, pictureTarget } from "../../output/targets.ts";

export interface NoiseFlags {
  readonly schedule: BetaSchedule;
  readonly timesteps: number;
  /** The article's, in proportion to the timesteps, without it. */
  readonly at?: readonly number[];
  readonly size: number;
  readonly seed: number;
  readonly out: string;
}

/** Writes an image at several timesteps of the forward process side by side. */
export async function noiseRow(path: string, flags: NoiseFlags): Promise<void> {
  const { schedule, timesteps, at = usualTimesteps(timesteps), size, seed, out } = flags;
  const beyond = at.find((t) => t >= timesteps);
  if (beyond !== undefined) throw new Error(`--at must lie below --timesteps ${timesteps}, got ${beyond}`);
  await checkPlace(pictureTarget(out));
  checkGridSize(out, [at.length, size, size, 3], { columns: at.length });
  const image = new Float32Array(size * size * 3);
  fromBytes(await decodeImage(path, { width: size, height: size, channels: 3 }), image);
  const forward = new GaussianDiffusion({ betas: betaSchedule(schedule, timesteps) });
  const row = await withDevice({ device: "reference" }, async (backend) => {
    const add = compile(backend, ({ xStart, t, key }) => {
      const copies = xStart.broadcastTo([at.length, size, size, 3]);
      const random = new RandomStream([key.slice(0, 0, 1).reshape([]), key.slice(0, 1, 2).reshape([])]);
      return { outputs: { noisy: forward.qSample(copies, t, random.normal(copies.shape)) } };
    });
    return add({
      xStart: ndarray(image, [1, size, size, 3]),
      t: ndarray(Int32Array.from(at), [at.length]),
      key: ndarray(Uint32Array.of(seed, 0), [2]),
    });
  });
  await writeGrid(out, row.noisy, { columns: at.length });
  print(`wrote ${out}: t = ${at.join(", ")} of ${timesteps}, ${schedule} schedule`);
}

/** What the article shows of its 300 timesteps, as much of others, each once. */
const ARTICLE = { timesteps: 300, at: [0, 50, 100, 150, 199] };

function usualTimesteps(timesteps: number): number[] {
  return [...new Set(ARTICLE.at.map((t) => Math.floor((t * timesteps) / ARTICLE.timesteps)))];
}
