import { describe, expect, test } from "vitest";
import { sectionedTimesteps, timestepsOf } from "./timestep-spacing.ts";

describe("timesteps", () => {
  test("are those of table 2 of Lin et al. (2023)", () => {
    expect(timestepsOf("leading", 1000, 10)).toEqual([900, 800, 700, 600, 500, 400, 300, 200, 100, 0]);
    expect(timestepsOf("linspace", 1000, 10)).toEqual([999, 888, 777, 666, 555, 444, 333, 222, 111, 0]);
    expect(timestepsOf("trailing", 1000, 10)).toEqual([999, 899, 799, 699, 599, 499, 399, 299, 199, 99]);
  });

  test("round to even where they fall halfway, as NumPy's", () => {
    // np.arange(10, 0, -2.5).round() - 1, np.arange(30, 0, -30 / 20).round() - 1
    expect(timestepsOf("trailing", 10, 4)).toEqual([9, 7, 4, 1]);
    expect(timestepsOf("trailing", 30, 20).slice(0, 5)).toEqual([29, 27, 26, 25, 23]);
    // np.linspace(0, 9, 7).round()
    expect(timestepsOf("linspace", 10, 7)).toEqual([9, 8, 6, 4, 3, 2, 0]);
  });

  test("are close together where there is little noise, if quadratic", () => {
    expect(timestepsOf("quadratic", 101, 11)).toEqual([100, 81, 64, 49, 36, 25, 16, 9, 4, 1, 0]);
  });

  test.each(["trailing", "leading", "linspace", "quadratic"] as const)("%s visits each at most once", (spacing) => {
    for (const timesteps of [1, 2, 7, 50, 300]) {
      for (let steps = 1; steps <= timesteps; steps++) {
        const visited = timestepsOf(spacing, timesteps, steps);
        expect(visited).toHaveLength(steps);
        expect(visited.every((t, i) => Number.isInteger(t) && t >= 0 && t < (visited[i - 1] ?? timesteps))).toBe(true);
      }
      const all = Array.from({ length: timesteps }, (_, i) => timesteps - 1 - i);
      expect(timestepsOf(spacing, timesteps, timesteps)).toEqual(all);
    }
  });

  test("start from the noisiest, if there is one alone", () => {
    for (const spacing of ["trailing", "linspace", "quadratic"] as const) {
      expect(timestepsOf(spacing, 10, 1)).toEqual([9]);
    }
  });
});

describe("sections", () => {
  test("are strided as Improved DDPM's", () => {
    // space_timesteps(300, [10, 15, 20]) of their code
    const visited = sectionedTimesteps(300, [10, 15, 20]).toReversed();
    expect(visited.slice(0, 10)).toEqual([0, 11, 22, 33, 44, 55, 66, 77, 88, 99]);
    expect(visited.slice(10, 14)).toEqual([100, 107, 114, 121]);
    expect(visited.slice(-3)).toEqual([289, 294, 299]);
    expect(visited).toHaveLength(45);
  });

  test("of one are linspace, and uneven ones are longer at the start", () => {
    expect(sectionedTimesteps(1000, [25])).toEqual(timestepsOf("linspace", 1000, 25));
    expect(sectionedTimesteps(11, [6, 1])).toEqual([6, 5, 4, 3, 2, 1, 0]);
  });

  test("have as many timesteps as they visit", () => {
    const message = "sectionedTimesteps: section 1 has 5 timesteps, got 6 to visit";
    expect(() => sectionedTimesteps(10, [1, 6])).toThrow(message);
    expect(() => sectionedTimesteps(10, [0, 1])).toThrow("section 0 has 5 timesteps, got 0 to visit");
    expect(() => sectionedTimesteps(10, [])).toThrow("sectionedTimesteps: counts must name at least one, got []");
  });
});
