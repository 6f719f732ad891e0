import { describe, expect, test } from "vitest";
import { tensorOf } from "../../test/support/reference.ts";
import { rootsOf, topologicalOrder, usersOf } from "./graph.ts";
import { valueOf } from "./tensor.ts";
import { Variable } from "./variable.ts";

describe("a graph", () => {
  const x = tensorOf([1, 2]);
  const y = x.exp();
  const z = y.multiply(y).add(x);

  test("is ordered with operands before users, each tensor once", () => {
    expect(topologicalOrder([z, y, z])).toEqual([x, y, z.inputs[0], z]);
  });

  test("knows every use of a tensor", () => {
    const users = usersOf(topologicalOrder([z]));
    expect(users.get(y)).toEqual([z.inputs[0], z.inputs[0]]);
    expect(users.get(x)).toEqual([y, z]);
    expect(users.get(z)).toEqual([]);
  });

  test("has outputs and updates as its roots", () => {
    const variable = new Variable("v", [2]);
    const value = valueOf(variable).add(1);
    expect(rootsOf({ inputs: [], outputs: [z, y], updates: [{ variable, value }] })).toEqual([z, y, value]);
  });
});
