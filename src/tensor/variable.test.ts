import { describe, expect, test } from "vitest";
import { ReferenceBackend } from "../backend/reference/backend.ts";
import { valueOf } from "./tensor.ts";
import { Variable } from "./variable.ts";

const addOne = (backend: ReferenceBackend, v: Variable) =>
  backend.load({ inputs: [], outputs: [valueOf(v)], updates: [{ variable: v, value: valueOf(v).add(1) }] });

describe("a variable", () => {
  test("starts with zeros, or with the given values", async () => {
    expect(await new Variable("v", [2]).read()).toEqual(Float32Array.of(0, 0));
    expect(await new Variable("v", [2], { dtype: "u32" }).read()).toEqual(Uint32Array.of(0, 0));
    expect(await new Variable("v", [1], { data: Float32Array.of(3) }).read()).toEqual(Float32Array.of(3));
  });

  test("gives out and takes in copies", async () => {
    const v = new Variable("v", [2]);
    const given = Float32Array.of(1, 2);
    const written = v.write(given);
    given.fill(9);
    await written;
    (await v.read()).fill(7);
    expect(await v.read()).toEqual(Float32Array.of(1, 2));
  });

  test("refuses values of another number or kind", async () => {
    const message = "variable w: f32[2,3] needs Float32Array of 6, got";
    expect(() => new Variable("w", [2, 3], { data: new Float32Array(5) })).toThrow(`${message} Float32Array of 5`);
    await expect(new Variable("w", [2, 3]).write(new Int32Array(6))).rejects.toThrow(`${message} Int32Array of 6`);
  });

  test("takes its value along from device to device and back to the host", async () => {
    const [first, second] = [ReferenceBackend.create(), ReferenceBackend.create()];
    const v = new Variable("v", [1], { data: Float32Array.of(5) });
    await (await addOne(first, v)).run([]);
    const there = await addOne(second, v);
    expect(await v.read()).toEqual(Float32Array.of(6));
    await there.run([]);
    await first.close();
    expect(await v.read()).toEqual(Float32Array.of(7));
    await second.close();
    expect(await v.read()).toEqual(Float32Array.of(7));
    await v.write(Float32Array.of(1));
    expect(await v.read()).toEqual(Float32Array.of(1));
  });

  test("is moved once when several programs ask for it at the same time", async () => {
    const backend = ReferenceBackend.create();
    const v = new Variable("v", [1], { data: Float32Array.of(5) });
    const [program] = await Promise.all([addOne(backend, v), addOne(backend, v), v.read(), addOne(backend, v)]);
    await program.run([]);
    expect(await v.read()).toEqual(Float32Array.of(6));
  });

  test("may be pulled to and fro by two devices at the same time", async () => {
    const [first, second] = [ReferenceBackend.create(), ReferenceBackend.create()];
    const v = new Variable("v", [1]);
    const here = await addOne(first, v);
    const there = await addOne(second, v);
    for (let i = 0; i < 10; i++) await Promise.all([here.run([]), v.read()]).then(() => there.run([]));
    expect(await v.read()).toEqual(Float32Array.of(20));
  });
});
