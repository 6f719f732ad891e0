import { expect, test } from "vitest";
import { formatBytes, formatCount, formatDuration, formatScaled, formatTable } from "./format.ts";

test("durations, counts and amounts read well", () => {
  expect([0.4, 59.6, 75, 3725, -1].map(formatDuration)).toEqual(["0s", "1m 0s", "1m 15s", "1h 2m", "0s"]);
  expect(formatCount(2020257)).toBe("2,020,257");
  expect([0, 999, 1000, 65.2e9, 3e18].map((x) => formatScaled(x, "FLOP"))).toEqual([
    "0 FLOP",
    "999 FLOP",
    "1 kFLOP",
    "65.2 GFLOP",
    "3000 PFLOP",
  ]);
  expect([0, 1023, 8081028, 2 ** 31].map(formatBytes)).toEqual(["0 B", "1020 B", "7.71 MiB", "2 GiB"]);
});

test("tables align text to the left and numbers to the right", () => {
  expect(
    formatTable([
      ["name", "n"],
      ["a", "100"],
    ]),
  ).toBe("name    n\na     100");
});
