import { expect, test } from "vitest";
import { classesToDraw } from "./classes-to-draw.ts";

test("classes are drawn as often as a dataset has them, or equally often where it has no labels", () => {
  const labels = Int32Array.of(2, 0, 2, 2, 0, 2, 2, 2);
  expect(classesToDraw({ name: "some", labels }, 3, 4)).toEqual([0, 2, 2, 2]);
  expect(classesToDraw({ name: "some", labels: undefined }, 3, 6)).toEqual([0, 0, 1, 1, 2, 2]);
  expect(classesToDraw({ name: "some", labels }, 0, 4)).toBeUndefined();
  expect(() => classesToDraw({ name: "some", labels }, 2, 4)).toThrow("the model draws 2 classes, some has a label 2");
});
