import { describe, expect, test } from "vitest";
import { classesInTurn, classesNamed, columnsOfClasses } from "./classes.ts";

const names = ["T-shirt/top", "Trouser", "Dress", "Sandal", "Ankle boot", "red, green"];

describe("classes by name", () => {
  test.each([
    ["ankle boot", [4]],
    ["Ankle Boot, trouser", [4, 1]],
    ["t-shirt/top,2,DRESS", [0, 2, 2]],
    ["red, green", [5]],
    ["all", [0, 1, 2, 3, 4, 5]],
  ])("%s", (text, expected) => {
    expect(classesNamed(text, names)).toEqual(expected);
  });

  test("are compared in Unicode's normal form, on both sides", () => {
    for (const [told, known] of [
      ["caf\u00e9", "cafe\u0301"],
      ["CAFE\u0301", "caf\u00e9"],
      ["\u1112\u1161\u11ab", "\ud55c"],
    ]) {
      expect(classesNamed(told, ["tea", known])).toEqual([1]);
    }
  });

  test("that differ only in their case are apart", () => {
    const cases = ["Cat", "cat", "dog"];
    expect(classesNamed("cat,Cat,DOG", cases)).toEqual([1, 0, 2]);
    expect(() => classesNamed("CAT", cases)).toThrow('class "CAT" could be Cat or cat: write it as one of them');
  });

  test("are names before they are numbers", () => {
    expect(classesNamed("1,0", ["1", "0"])).toEqual([0, 1]);
  });

  test.each([
    ["ankle bot", 'no class "ankle bot", did you mean "Ankle boot"?'],
    ["boot", 'no class "boot", did you mean "Ankle boot"?'],
    ["dress,trousers", 'no class "trousers", did you mean Trouser?'],
    ["umbrella", 'no class "umbrella". The classes are T-shirt/top, Trouser,'],
    ["6", 'no class "6". The classes are'],
    ["dress,", 'no class "". The classes are'],
  ])("that are not there are refused with the nearest and all: %s", (text, message) => {
    expect(() => classesNamed(text, names)).toThrow(message);
  });
});

test("classes come in turn, with a column for each while these are few", () => {
  expect(classesInTurn([4, 1], 5)).toEqual([4, 1, 4, 1, 4]);
  expect(columnsOfClasses([4, 1], 6)).toBe(2);
  expect(columnsOfClasses([4], 6)).toBeUndefined();
  expect(columnsOfClasses([0, 1, 2], 2)).toBeUndefined();
});
