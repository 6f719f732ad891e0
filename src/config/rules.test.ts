import { expect, test } from "vitest";
import { check } from "./rules.ts";
import { trainingSettings } from "./training-settings.ts";

const given = { batchSize: 128, learningRate: 1e-3 };
const messageFor = (value: unknown): string => {
  try {
    check(trainingSettings, value, "settings");
    return "accepted";
  } catch (error) {
    return error instanceof Error ? error.message : "";
  }
};

test("settings get their defaults", () => {
  expect(check(trainingSettings, given, "settings")).toMatchObject({
    ...given,
    emaDecay: 0.995,
    adamBetas: [0.9, 0.999],
  });
});

test("a fault is named with the requirement and the value, on one line", () => {
  expect(messageFor({ ...given, batchSize: 0 })).toBe(
    "settings: batchSize must be a whole number of at least 1, got 0",
  );
  expect(messageFor({ ...given, learningRate: Number.NaN })).toBe(
    "settings: learningRate must be a number above 0, got NaN",
  );
  expect(messageFor({ ...given, learningRate: Infinity })).toContain("learningRate must be");
  expect(messageFor({ batchSize: 1 })).toBe("settings: learningRate must be a number above 0, got nothing");
  expect(messageFor({ ...given, adamBetas: [0.9, 1] })).toBe(
    "settings: adamBetas.1 must be a number of at least 0 and below 1, got 1",
  );
  expect(messageFor({ ...given, seed: 2 ** 32 })).toBe(
    "settings: seed must be a whole number from 0 to 4294967295, got 4294967296",
  );
  expect(messageFor({ ...given, learningRateSchedule: "linear" })).toBe(
    'settings: learningRateSchedule must be one of constant, cosine, got "linear"',
  );
  expect(messageFor({ ...given, bacthSize: 3 })).toBe("settings: unknown setting bacthSize");
  expect(messageFor(null)).not.toContain("\n");
});
