import { expect, test } from "vitest";
import { check, checkNames, checkOptions, listOf, options, wholeNumber } from "./rules.ts";
import { trainingSettings } from "../checkpoint/training-settings.ts";

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
    "settings: adamBetas[1] must be a number of at least 0 and below 1, got 1",
  );
  expect(messageFor({ ...given, seed: 2 ** 32 })).toBe(
    "settings: seed must be a whole number from 0 to 4294967295, got 4294967296",
  );
  expect(messageFor({ ...given, learningRateSchedule: "linear" })).toBe(
    'settings: learningRateSchedule must be one of constant, cosine, got "linear"',
  );
  expect(messageFor({ ...given, bacthSize: 3 })).toBe("settings: has no option bacthSize, did you mean batchSize?");
  expect(messageFor(null)).not.toContain("\n");
});

test.each([
  ["dim_mults", "dimMults"],
  ["dim-mults", "dimMults"],
  ["DimMults", "dimMults"],
  ["dimMult", "dimMults"],
  ["heads", "attentionHeads"],
])("of an option %s it says that %s was probably meant", (wrong, meant) => {
  const names = ["dim", "dimMults", "attentionHeads"];
  expect(() => checkNames("Unet", { dim: 8, [wrong]: 1 }, names)).toThrow(
    `Unet: has no option ${wrong}, did you mean ${meant}?`,
  );
});

test("what is like no option is refused without a guess", () => {
  expect(() => checkNames("Unet", { colour: 1 }, ["dim", "dimMults"])).toThrow(/^Unet: has no option colour$/);
});

test("what is no list and no object is said to be neither", () => {
  const rule = options({ sizes: listOf(wholeNumber(1), 1, 3) });
  expect(() => check(rule, { sizes: 4 }, "Thing")).toThrow("Thing: sizes must be a list of 1 to 3 entries, got 4");
  expect(() => check(rule, { sizes: [] }, "Thing")).toThrow("Thing: sizes must be a list of 1 to 3 entries, got []");
  expect(() => check(rule, { sizes: [2, 0] }, "Thing")).toThrow("Thing: sizes[1] must be a whole number");
  expect(() => check(rule, 4, "Thing")).toThrow("Thing: must be an object, got 4");
});

test.each([
  [{ steps: "4" }, 'sample: steps must be a number, got "4"'],
  [{ onStep: {} }, "sample: onStep must be a function, got {}"],
  [{ init: [1, 2] }, "sample: init must be an array as ndarray() makes it, got [1,2]"],
  [{ clip: 1 }, "sample: clip must be true or false, got 1"],
  [{ betas: 0.1 }, "sample: betas must be a list of numbers, got 0.1"],
  [{ on_step: 1 }, "sample: has no option on_step, did you mean onStep?"],
  [{ init: null }, "sample: init must be an array as ndarray() makes it, got null"],
])("options of another type are refused: %o", (given, message) => {
  const types = { steps: "number", onStep: "function", init: "array", clip: "boolean", betas: "list" } as const;
  expect(() => checkOptions("sample", given, types)).toThrow(message);
  expect(() => checkOptions("sample", { steps: undefined, onStep: () => {}, betas: [0.1] }, types)).not.toThrow();
});
