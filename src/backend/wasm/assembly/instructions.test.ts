import { describe, expect, test } from "vitest";
import { assemble } from "../../../../test/support/wabt.ts";
import { br, br_if, call, call_indirect, drop, global, local, select, unreachable } from "./control-instructions.ts";
import { encodeModule } from "./encode-module.ts";
import { FunctionBuilder, conditional } from "./function-builder.ts";
import type { Instruction, Local, Operand, PlainInstruction, ValueType } from "./instruction.ts";
import { ModuleBuilder } from "./module-builder.ts";
import { printModule } from "./print-module.ts";
import { f32, f64, i32, memory } from "./scalar-instructions.ts";
import { f32x4, i32x4, i8x16, v128 } from "./vector-instructions.ts";

const TYPES: readonly ValueType[] = ["i32", "i64", "f32", "f64", "v128"];

/** A function with a local of each type. */
class Sandbox {
  readonly code = new FunctionBuilder();
  readonly locals = Object.fromEntries(TYPES.map((type) => [type, this.code.local(type)])) as {
    readonly [T in ValueType]: Local<T>;
  };

  /** Adds an instruction, whatever it gives. */
  emit(instruction: PlainInstruction<ValueType | undefined>): void {
    this.code.emit(
      instruction.type === undefined ? (instruction as Instruction<undefined>) : drop(instruction as never),
    );
  }

  module(): ModuleBuilder {
    const module = newModule();
    module.export("run", this.code.finish("run"));
    return module;
  }
}

function newModule(): ModuleBuilder {
  const module = new ModuleBuilder({ printable: true });
  const limits = { minimum: 1, maximum: 65536, shared: true };
  module.import({ module: "test", field: "memory", kind: "memory", memory: limits });
  return module;
}

/** What other software makes of our text has to be our binary. */
async function expectAgreement(module: ModuleBuilder): Promise<void> {
  const binary = encodeModule(module);
  expect(WebAssembly.validate(binary)).toBe(true);
  expect(await assemble(printModule(module))).toEqual(binary);
}

/** All lists of up to three of the locals. */
function operandLists(locals: readonly Local[]): Local[][] {
  const longer = (lists: readonly Local[][]): Local[][] =>
    lists.flatMap((list) => locals.map((local) => [...list, local]));
  const [one, two] = [longer([[]]), longer(longer([[]]))];
  return [...one, ...two, ...longer(two)];
}

/** The instruction that a function makes of the only operands that it takes. */
function instructionOf(
  make: (...operands: readonly Operand[]) => unknown,
  locals: readonly Local[],
): PlainInstruction<ValueType | undefined> {
  for (const operands of operandLists(locals)) {
    try {
      return make(...operands) as PlainInstruction<ValueType | undefined>;
    } catch {
      // The next list may fit.
    }
  }
  throw new Error("no operands fit");
}

const NEED_MORE = [
  "const",
  "load",
  "store",
  "load32_splat",
  "load32_lane",
  "extract_lane",
  "replace_lane",
  "atomic",
  "shuffle",
];
const families = { i32, f32, f64, v128, i32x4, f32x4 };

describe("instructions", () => {
  for (const [name, family] of Object.entries(families)) {
    test(`of ${name} are those that wabt knows by their names`, async () => {
      const sandbox = new Sandbox();
      const made = Object.entries(family).filter(([key]) => !NEED_MORE.includes(key));
      for (const [key, make] of made) {
        const instruction = instructionOf(
          make as (...operands: readonly Operand[]) => unknown,
          Object.values(sandbox.locals),
        );
        expect(instruction.form.name).toBe(`${name}.${key}`);
        sandbox.emit(instruction);
      }
      expect(made.length).toBeGreaterThan(0);
      await expectAgreement(sandbox.module());
    });
  }

  test("of memory, lanes and atomic access are those that wabt knows by their names", async () => {
    const sandbox = new Sandbox();
    const { i32: at, f32: float, v128: vector } = sandbox.locals;
    const made = [
      i32.load(at),
      i32.load(at, 70_000),
      i32.store(at, 1, 4),
      i32.atomic.load(at),
      i32.atomic.store(at, at),
      i32.atomic.rmw.add(at, at, 12),
      f32.load(at, 8),
      f32.store(at, float),
      v128.load(at, 16),
      v128.store(at, vector, 127),
      v128.load32_splat(at, 128),
      ...[0, 1, 2, 3].map((lane) => v128.load32_lane(lane, at, vector, 20)),
      ...[0, 3].flatMap((lane) => [i32x4.extract_lane(lane, vector), f32x4.extract_lane(lane, vector)]),
      ...[1, 2].flatMap((lane) => [i32x4.replace_lane(lane, vector, at), f32x4.replace_lane(lane, vector, float)]),
      i8x16.shuffle([15, 14, 13, 12, 31, 30, 29, 28, 0, 1, 2, 3, 16, 17, 18, 19], vector, vector),
      memory.fill(at, 0, 1024),
      memory.atomic.notify(at, -1),
      memory.atomic.wait32(at, 0, 1_000_000_000_000),
    ];
    for (const instruction of made) sandbox.emit(instruction as PlainInstruction<ValueType | undefined>);
    await expectAgreement(sandbox.module());
  });

  test("keep every number", async () => {
    const sandbox = new Sandbox();
    const integers = [
      0,
      1,
      -1,
      63,
      64,
      -64,
      -65,
      127,
      128,
      8191,
      8192,
      -8193,
      2 ** 31 - 1,
      -(2 ** 31),
      2 ** 31,
      2 ** 32 - 1,
    ];
    for (const value of integers) sandbox.code.set(sandbox.locals.i32, value);
    for (const value of [...integers, 2 ** 53 - 1, 1 - 2 ** 53]) sandbox.code.set(sandbox.locals.i64, value);
    const floats = [0, -0, 0.1, -1e-45, 3.4e38, 2 ** -126, 1e-40, NaN, Infinity, -Infinity];
    for (const value of floats) {
      sandbox.code.set(sandbox.locals.f32, value);
      sandbox.code.set(sandbox.locals.f64, value);
      sandbox.code.set(sandbox.locals.v128, v128.const("f32x4", [value, 1, -value, 0]));
    }
    sandbox.code.set(sandbox.locals.v128, v128.const("i32x4", [-1, 2 ** 31 - 1, -(2 ** 31), 0]));
    await expectAgreement(sandbox.module());
  });
});

describe("functions", () => {
  test("run as they are built, and are what wabt makes of their text", async () => {
    const code = new FunctionBuilder();
    const n = code.parameter("n", "i32");
    const divisors = code.local("i32", 0);
    code.countUp(1, i32.add(n, 1), 1, (divisor) => {
      code.when(
        i32.rem_u(n, divisor),
        () => code.set(divisors, i32.add(divisors, 0)),
        () => code.increase(divisors, 1),
      );
    });
    const halvings = code.local("i32", 0);
    code.block((done) => {
      code.loop((again) => {
        code.emit(br_if(done, i32.lt_u(n, 2)));
        code.set(n, i32.shr_u(n, 1));
        code.increase(halvings, 1);
        code.emit(br(again));
      });
      code.emit(unreachable());
    });
    const result = i32.add(i32.mul(divisors, 100), halvings);
    const isMany = conditional(
      "i32",
      i32.gt_u(divisors, 5),
      { instructions: [], result: -1 },
      { instructions: [], result },
    );
    const module = new ModuleBuilder({ printable: true });
    module.export("run", code.finish("run", isMany));
    await expectAgreement(module);
    const { instance } = await WebAssembly.instantiate(encodeModule(module));
    const run = instance.exports["run"] as (n: number) => number;
    expect([0, 1, 7, 8, 12].map(run)).toEqual([0, 100, 202, 403, -1]);
  });

  test("call each other, directly, through the table, and what is imported", async () => {
    const triple = { name: "triple", type: { parameters: ["i32"], result: "i32" } } as const;
    const count = { name: "count", type: "i32" } as const;
    const module = new ModuleBuilder({ printable: true });
    module.import({ module: "test", field: "triple", kind: "function", callable: triple });
    module.defineGlobal(count, 5);
    const addOne = (name: string) => {
      const code = new FunctionBuilder();
      const x = code.parameter("x", "i32");
      return code.finish(name, i32.add(x, 1));
    };
    const first = module.define(addOne("first"));
    const place = module.tableIndex(first);
    const code = new FunctionBuilder();
    const x = code.parameter("x", "i32");
    code.emit(global.set(count, i32.add(global.get(count), x)));
    const called = call(addOne("second"), call(triple, call_indirect({ ...first.type, result: "i32" }, place, x)));
    code.when(i32.eq(x, 0), () => code.emit(unreachable()));
    module.export("run", code.finish("run", i32.add(called, global.get(count))));
    expect(module.functions.map(({ name }) => name)).toEqual(["first", "run"]);
    await expectAgreement(module);
    const imports = { test: { triple: (value: number) => 3 * value } };
    const { instance } = await WebAssembly.instantiate(encodeModule(module), imports);
    const run = instance.exports["run"] as (x: number) => number;
    expect([run(10), run(1)]).toEqual([3 * 11 + 1 + 15, 3 * 2 + 1 + 16]);
  });

  test("have their names where they are wanted", async () => {
    const module = new Sandbox().module();
    const [withNames, without] = [encodeModule(module, { withNames: true }), encodeModule(module)];
    const named = WebAssembly.Module.customSections(await WebAssembly.compile(withNames), "name");
    expect(new TextDecoder().decode(named[0])).toContain("run");
    expect(withNames.subarray(0, without.length)).toEqual(without);
  });
});

describe("what is put together wrongly is refused:", () => {
  const code = new FunctionBuilder();
  const [integer, float] = [code.local("i32"), code.local("f32")];
  const cases: Readonly<Record<string, readonly [() => unknown, string]>> = {
    "an operand of another type": [() => i32.add(integer, float as never), "internal: i32.add takes i32, got f32"],
    "a vector in place of a number": [() => f32.mul(v128.load(0) as never, 1), "internal: f32.mul takes f32, got v128"],
    "too few operands": [
      () => (f32.add as (a: Operand) => unknown)(float),
      "internal: f32.add takes 2 operands, got 1",
    ],
    "a number that is no integer": [() => i32.add(integer, 0.5), "internal: i32.const of 0.5"],
    "a number that does not fit": [() => i32.add(integer, 2 ** 32), "internal: i32.const of 4294967296"],
    "a value for a local of another type": [
      () => local.set(integer, float as never),
      "internal: local.set takes i32, got f32",
    ],
    "sides of a condition that differ": [
      () => conditional("i32", integer, { instructions: [], result: 1 }, { instructions: [], result: float }),
      "internal: a branch takes i32, got f32",
    ],
    "a value that nothing takes": [
      () => {
        const code = new FunctionBuilder();
        code.loop(() => code.emit(i32.const(1) as never));
      },
      "internal: nothing takes a value of type i32",
    ],
    "an argument of another type": [
      () => call({ name: "f", type: { parameters: ["f64"], result: undefined } }, integer),
      "internal: call takes f64, got i32",
    ],
    "a side of a condition that gives nothing": [
      () => conditional("i32", integer, { instructions: [], result: 1 }, { instructions: [] }),
      "internal: a branch lacks its result",
    ],
    "a number for a vector": [() => f32x4.neg(1 as never), "internal: v128.const of 1"],
    "values to select from that differ": [
      () => select("i32", integer, float as never, integer),
      "internal: select takes i32, got f32",
    ],
    "an offset below 0": [() => i32.load(integer, -4), "internal: an offset is not below 0, got -4"],
    "a branch out of nowhere": [
      () => {
        const code = new FunctionBuilder();
        code.emit(br({ name: "elsewhere" }));
        newModule().define(code.finish("f"));
      },
      "internal: elsewhere is not around its branch",
    ],
    "another function's local": [
      () => {
        const code = new FunctionBuilder();
        code.emit(drop(i32.add(integer, 1)));
        newModule().define(code.finish("f"));
      },
      `internal: f has no local ${integer.name}`,
    ],
    "a function that is not there": [
      () => newModule().export("f", { name: "f", type: { parameters: [], result: undefined } }),
      "internal: f is not imported",
    ],
  };
  test.each(Object.entries(cases))("%s", (_, [make, message]) => {
    expect(make).toThrow(message);
  });
});
