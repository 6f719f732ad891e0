import { expect, test } from "vitest";
import { full } from "../../tensor/tensor.ts";
import { Variable } from "../../tensor/variable.ts";
import { gradientGroups } from "./gradient-groups.ts";

const MIB = 2 ** 18;
const namesOf = (groups: readonly (readonly Variable[])[]) =>
  groups.map((group) => group.map(({ name }) => name).join(""));

test("gradients go in groups of a mebibyte or a sixteenth, in the order in which they are computed", () => {
  const variables = ["a", "b", "c", "d"].map((name) => new Variable(name, [MIB / 2]));
  const gradients = variables.map(({ shape }) => full(shape, 0)).toReversed();
  expect(namesOf(gradientGroups(variables, gradients))).toEqual(["dc", "ba"]);
  expect(namesOf(gradientGroups(variables.slice(0, 3), gradients.slice(1)))).toEqual(["cb", "a"]);
});

test("large networks have sixteen groups", () => {
  const variables = Array.from({ length: 64 }, (_, i) => new Variable(`${i}`, [MIB]));
  const gradients = variables.map(({ shape }) => full(shape, 0));
  expect(gradientGroups(variables, gradients).map(({ length }) => length)).toEqual(new Array<number>(16).fill(4));
});
