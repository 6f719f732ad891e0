import { Random, ndarray } from "unnoise";
import type { NdArray } from "unnoise";

/** A curve in the square from -1 to 1, for a share of the way from 0 to 1. */
type Curve = (share: number, random: Random) => readonly [x: number, y: number];

const spiral: Curve = (share) => {
  const [angle, radius] = [share * 3.5 * Math.PI, 0.15 + 0.75 * share];
  return [radius * Math.cos(angle), radius * Math.sin(angle)];
};

const moons: Curve = (share) => {
  const isUpper = share < 0.5;
  const angle = Math.PI * ((2 * share) % 1);
  const [x, y] = [0.6 * Math.cos(angle), 0.6 * Math.sin(angle)];
  return isUpper ? [x - 0.3, y - 0.15] : [0.3 - x, 0.15 - y];
};

const heart: Curve = (share) => {
  const angle = 2 * Math.PI * share;
  const y = 13 * Math.cos(angle) - 5 * Math.cos(2 * angle) - 2 * Math.cos(3 * angle) - Math.cos(4 * angle);
  return [Math.sin(angle) ** 3 * 0.9, (y + 2.5) / 17];
};

const grid: Curve = (_, random) => {
  const place = (): number => (Math.floor(3 * random.uniform()) - 1) * 0.7 + 0.08 * (random.uniform() - 0.5);
  return [place(), place()];
};

/** Shapes to begin with, by name. */
export const shapes = { spiral, moons, heart, "nine dots": grid } as const satisfies Readonly<Record<string, Curve>>;
export type ShapeName = keyof typeof shapes;
export const shapeNames = Object.keys(shapes) as readonly ShapeName[];

/** Points on a curve with a little noise, [count, 2]; the same ones for the same seed. */
export function pointsOf(name: ShapeName, count: number, seed: number): NdArray {
  const random = new Random(seed);
  const jitter = (): number => 0.04 * (random.uniform() + random.uniform() - 1);
  const points = Array.from({ length: count }, (_, i) => shapes[name]((i + random.uniform()) / count, random));
  return ndarray(Float32Array.from(points.flatMap(([x, y]) => [x + jitter(), y + jitter()])), [count, 2]);
}
