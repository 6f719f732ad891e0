import { describe, expect, test } from "vitest";
import { tensorOf } from "../../test/support/reference.ts";
import { rootsOf, structuralOrder, topologicalOrder, usersOf, variablesOf } from "./graph.ts";
import { valueOf } from "./tensor.ts";
import { Variable } from "./variable.ts";

describe("a graph", () => {
  const x = tensorOf([1, 2]);
  const y = x.exp();
  const z = y.multiply(y).add(x);

  test("is ordered with operands before users, each tensor once", () => {
    expect(topologicalOrder([z, y, z])).toEqual([x, y, z.inputs[0], z]);
  });

  test("has an order and variables that do not depend on which tensors are older", () => {
    const [a, b] = [new Variable("a", [2]), new Variable("b", [2])];
    const older = valueOf(b);
    const sum = valueOf(a).add(valueOf(b));
    const product = sum.multiply(older);
    expect(topologicalOrder([product])).toEqual([older, valueOf(a), sum, product]);
    expect(structuralOrder([product, sum])).toEqual([valueOf(a), older, sum, product]);
    expect(variablesOf({ inputs: [], outputs: [product], updates: [] })).toEqual([a, b]);
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
