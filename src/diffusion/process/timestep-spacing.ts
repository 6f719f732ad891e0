/**
 * Which `steps` of the timesteps a sampler visits. The first three are those of table 2 of Lin et al. (2023,
 * 2305.08891), with diffusers' rounding.
 *
 * - `trailing`: equal distances down from the last timestep, T - 1; the distance also lies below the lowest.
 * - `leading`: equal whole distances up from 0; the noisiest timesteps are left out.
 * - `linspace`: equal distances with both ends, 0 and T - 1: the spacing of Improved DDPM (Nichol & Dhariwal 2021).
 * - `quadratic`: square roots at equal distances from 0 to T - 1, close together where there is little noise (Song
 *   et al. 2021, 2010.02502).
 * - `karras`: noise levels of equation 5 of Karras et al. (2022, 2206.00364), between the timesteps where need be; the
 *   network is given timesteps as f32.
 * - `uniform`: equal distances in the time of a process that has no timesteps, from its noisiest end.
 */
export type TimestepSpacing = "trailing" | "leading" | "linspace" | "quadratic" | "karras" | "uniform";

export const timestepSpacingNames: readonly TimestepSpacing[] = [
  "trailing",
  "leading",
  "linspace",
  "quadratic",
  "karras",
  "uniform",
];

/** Whole timesteps, the noisiest first, all different. `steps` is at most `timesteps`. */
export function timestepsOf(spacing: TimestepSpacing, timesteps: number, steps: number): readonly number[] {
  const places = Array.from({ length: steps }, (_, i) => i);
  const last = timesteps - 1;
  // One step alone starts from the noisiest timestep.
  const share = (i: number): number => (steps === 1 ? 1 : i / (steps - 1));
  switch (spacing) {
    case "trailing":
      return places.map((i) => roundHalfToEven(timesteps - i * (timesteps / steps)) - 1);
    case "leading":
      return places.map((i) => i * Math.floor(timesteps / steps)).toReversed();
    case "linspace":
      return places.map((i) => roundHalfToEven(share(i) * last)).toReversed();
    case "quadratic":
      return withoutRepeats(places.map((i) => Math.round(share(i) ** 2 * last))).toReversed();
    default:
      throw new Error(`internal: ${spacing} visits no whole timesteps`);
  }
}

/**
 * The respacing of Improved DDPM (Nichol & Dhariwal 2021, 2102.09672): cuts the timesteps into sections of equal
 * length and visits `counts[i]` of the i-th, from the least noise, at equal distances with both its ends.
 *
 * @returns whole timesteps, the noisiest first
 * @example
 * sectionedTimesteps(1000, [10, 15, 20]); // as "10,15,20" of their code
 */
export function sectionedTimesteps(timesteps: number, counts: readonly number[]): readonly number[] {
  if (counts.length === 0) throw new Error("sectionedTimesteps: counts must name at least one, got []");
  const [length, longer] = [Math.floor(timesteps / counts.length), timesteps % counts.length];
  const visited: number[] = [];
  let start = 0;
  for (const [i, count] of counts.entries()) {
    const size = length + (i < longer ? 1 : 0);
    if (!Number.isSafeInteger(count) || count < 1 || count > size) {
      throw new Error(`sectionedTimesteps: section ${i} has ${size} timesteps, got ${count} to visit`);
    }
    const stride = count === 1 ? 1 : (size - 1) / (count - 1);
    for (let k = 0; k < count; k++) visited.push(start + roundHalfToEven(k * stride));
    start += size;
  }
  return visited.toReversed();
}

/** Moves what does not rise up to the next number. */
function withoutRepeats(rising: readonly number[]): number[] {
  const result: number[] = [];
  for (const value of rising) result.push(Math.max(value, (result.at(-1) ?? -1) + 1));
  return result;
}

/** As NumPy and Python round, whose timesteps these are. */
function roundHalfToEven(value: number): number {
  const rounded = Math.round(value);
  return rounded - value === 0.5 && rounded % 2 !== 0 ? rounded - 1 : rounded;
}
