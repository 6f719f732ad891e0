import { expect, test } from "vitest";
import { erf } from "./erf.ts";

test("erf agrees with tabulated values to float64 accuracy", () => {
  // NIST's Digital Library of Mathematical Functions, table 7.23, and Abramowitz & Stegun, table 7.1.
  const table = [
    [0, 0],
    [0.1, 0.1124629160182849],
    [0.5, 0.5204998778130465],
    [1, 0.8427007929497149],
    [1.5, 0.9661051464753108],
    [2, 0.9953222650189527],
    [3, 0.9999779095030014],
  ];
  for (const [x, expected] of table) {
    expect(erf(x)).toBeCloseTo(expected, 15);
    expect(erf(-x)).toBeCloseTo(-expected, 15);
  }
});

test("erf is 2x/sqrt(pi) near 0 and 1 far out", () => {
  expect(erf(1e-10)).toBeCloseTo(1.1283791670955126e-10, 25);
  expect(erf(1e-45) / 1e-45).toBeCloseTo(1.1283791670955126, 12);
  expect([erf(5.9), erf(6), erf(Infinity), erf(-Infinity)]).toEqual([1, 1, 1, -1]);
  expect(erf(NaN)).toBeNaN();
});

test("erf has the derivative 2/sqrt(pi) exp(-x^2)", () => {
  for (const x of [-2.3, -0.7, 0.2, 1.1, 2.9, 4]) {
    const h = 1e-4;
    const slope = (8 * (erf(x + h) - erf(x - h)) - (erf(x + 2 * h) - erf(x - 2 * h))) / (12 * h);
    expect(slope).toBeCloseTo((2 / Math.sqrt(Math.PI)) * Math.exp(-x * x), 10);
  }
});
