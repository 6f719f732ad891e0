import { createBackend, GaussianDiffusion } from "unnoise";
import type { Backend, Tensor } from "unnoise";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { energyDistance } from "./energy-distance.ts";
import { POINTS, PointLearner, TIMESTEPS } from "./model.ts";
import { pointsOf, shapeNames } from "./shapes.ts";

/** Two halves of the same shape are about 0.002 apart, what an untrained network draws more than 0.2. */
const LEARNED = 0.05;
const STEPS = 1000;

/** Answers are compared with the noise of another point, so there is nothing to be learned from them. */
class ShuffledTargets extends GaussianDiffusion {
  override target(xStart: Tensor, t: Tensor, noise: Tensor): Tensor {
    return super.target(xStart, t, noise.reverse([0]));
  }
}

describe("points that a small network learns", () => {
  let backend: Backend;
  beforeAll(async () => {
    backend = await createBackend({ device: "wasm", threads: 1 });
  });
  afterAll(() => backend.close());

  const distanceAfter = async (steps: number, learner: PointLearner, name: (typeof shapeNames)[number]) => {
    await learner.train(steps);
    const distance = energyDistance(await learner.sample(), pointsOf(name, POINTS, 2).data);
    learner.dispose();
    return distance;
  };

  test.each(shapeNames)("of the shape %s are drawn after 1000 steps", async (name) => {
    const learner = new PointLearner(backend, pointsOf(name, POINTS, 1), 0);
    expect(await distanceAfter(STEPS, learner, name)).toBeLessThan(LEARNED);
  });

  test("are not drawn by a network that was trained for the noise of other points", async () => {
    const shuffled = new ShuffledTargets({ timesteps: TIMESTEPS, betaSchedule: "cosine" });
    const learner = new PointLearner(backend, pointsOf("spiral", POINTS, 1), 0, shuffled);
    expect(await distanceAfter(STEPS, learner, "spiral")).toBeGreaterThan(5 * LEARNED);
  });

  test("move when the points do, in the same program", async () => {
    const learner = new PointLearner(backend, pointsOf("spiral", POINTS, 1), 0);
    await learner.train(100);
    learner.use(pointsOf("heart", 100, 1));
    expect(await distanceAfter(STEPS, learner, "heart")).toBeLessThan(LEARNED);
  });
});

test("the energy distance of normal points that are apart is as its closed form has it", () => {
  // Two single points: 2 |a - b|.
  expect(energyDistance([0, 0], [3, 4])).toBeCloseTo(10, 12);
  expect(energyDistance([0, 0, 1, 0], [1, 0, 0, 0])).toBeCloseTo(0, 12);
  expect(energyDistance([0, 0, 2, 0], [0, 0])).toBeCloseTo(1, 12);
});
