import { describe, expect, test } from "vitest";
import { tensorOf, valuesOf } from "../../../test/support/reference.ts";
import { grad } from "./grad.ts";
import { iota, scalar, valueOf } from "../tensor.ts";
import { Variable } from "../variable.ts";

describe("grad", () => {
  const x = tensorOf([1, 2, 3]);

  test("of a polynomial is its derivative", async () => {
    const [gradient] = grad(x.power(3).add(x.multiply(2)).sum(), [x]);
    expect(await valuesOf(gradient)).toEqual([5, 14, 29]);
  });

  test("adds up over all paths to a tensor", async () => {
    const y = x.multiply(2);
    const loss = y.multiply(y).add(y).add(x).sum();
    expect(await valuesOf(grad(loss, [x])[0])).toEqual([11, 19, 27]);
  });

  test("is zero for what the loss does not depend on, with that tensor's shape", async () => {
    const unused = new Variable("unused", [2, 2]);
    const [byUnused, byX] = grad(x.sum(), [valueOf(unused), x]);
    expect(byUnused.shape).toEqual([2, 2]);
    expect(await valuesOf(byUnused)).toEqual([0, 0, 0, 0]);
    expect(await valuesOf(byX)).toEqual([1, 1, 1]);
  });

  test("is zero behind stopGradient", async () => {
    const loss = x.stopGradient().multiply(x).sum();
    expect(await valuesOf(grad(loss, [x])[0])).toEqual([1, 2, 3]);
  });

  test("by a tensor in the middle of the graph, and by the loss itself", async () => {
    const y = x.multiply(2);
    const loss = y.multiply(y).sum();
    const [byY, byX, byLoss] = grad(loss, [y, x, loss]);
    expect(await valuesOf(byY)).toEqual([4, 8, 12]);
    expect(await valuesOf(byX)).toEqual([8, 16, 24]);
    expect(await valuesOf(byLoss)).toEqual([1]);
  });

  test("can be taken again: the third derivative of x^4 is 24 x", async () => {
    let y = x.power(4).sum();
    for (let i = 0; i < 3; i++) y = grad(y, [x])[0].sum();
    expect(await valuesOf(y)).toEqual([24 * 6]);
    const [first] = grad(x.multiply(x).multiply(x).sum(), [x]);
    expect(await valuesOf(grad(first.sum(), [x])[0])).toEqual([6, 12, 18]);
  });

  test("builds nothing for branches that lead nowhere", () => {
    const unrelated = tensorOf([1, 2, 3]).exp();
    const [gradient] = grad(x.multiply(unrelated).sum(), [x]);
    const [withoutUnrelated] = grad(x.multiply(2).sum(), [x]);
    expect(gradient.op.kind).toBe(withoutUnrelated.op.kind);
  });

  test("of deep graphs needs no deep stack", async () => {
    let y = x;
    for (let i = 0; i < 20000; i++) y = y.add(1);
    expect(await valuesOf(grad(y.sum(), [x])[0])).toEqual([1, 1, 1]);
  });

  test("refuses a loss that is no f32 scalar, and integers to differentiate by", () => {
    expect(() => grad(x, [x])).toThrow("grad: needs an f32 scalar, got f32[3]");
    expect(() => grad(scalar(1, "i32"), [x])).toThrow("grad: needs an f32 scalar, got i32[]");
    expect(() => grad(x.sum(), [iota([3])])).toThrow("grad: can differentiate by f32 only, got i32");
  });
});
