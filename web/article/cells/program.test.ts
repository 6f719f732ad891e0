import { describe, expect, test } from "vitest";
import { formatLine } from "./format.ts";
import { Program, faultOf, toScript } from "./program.ts";

const put: unknown[] = [];
const library = { put: (value: unknown) => void put.push(value), twice: (value: number) => 2 * value };

async function runAll(...cells: readonly string[]): Promise<unknown[]> {
  put.length = 0;
  const program = new Program(library);
  for (const [i, code] of cells.entries()) await program.run(i + 1, code);
  return [...put];
}

describe("cells", () => {
  test("are one program: each sees what those before it declare, also what they change", async () => {
    const cells = [
      'import { put, twice as double } from "unnoise";\nlet count: number = 1;\nclass A<T> { constructor(readonly of: T) {} }',
      "count = double(count); put(new A<number>(count).of);",
      "const later = () => count; put(await Promise.resolve(later() as number));",
    ];
    // TypeScript that Node runs has no parameter properties, but a reader may know them.
    expect(await runAll(...cells)).toEqual([2, 2]);
  });

  test("forget what a cell said when it runs again", async () => {
    const program = new Program(library);
    put.length = 0;
    await program.run(1, 'import { put } from "unnoise"; const word = "old";');
    await program.run(2, "const length = word.length; put(word);");
    await program.run(1, 'import { put } from "unnoise"; const word = "new";');
    await program.run(2, "put(word); put(typeof length);");
    expect(put).toEqual(["old", "new", "undefined"]);
  });

  test("lose their types and keep their lines", () => {
    const code =
      'import {\n  put,\n  twice as double,\n} from "unnoise";\nimport type { Tensor } from "unnoise";\ntype N = number;\nput(1 as N);';
    const script = toScript(code);
    expect(script.split("\n")).toHaveLength(code.split("\n").length);
    expect(script).not.toMatch(/Tensor|type|as/);
    expect(script.split("\n")[6]).toBe("put(1 );");
  });

  test.each([
    ["const a = ;", "line 1: Unexpected token"],
    ["\n\nlet a = (1;", /^line 3: Unexpected token, expected "[,)]"$/],
    [
      'import fs from "node:fs";',
      /^a cell imports names, and from "unnoise" alone: .*, got import fs from "node:fs";$/,
    ],
    ["const a = 1;\nnothing();", "line 2: ReferenceError: nothing is not defined"],
    ['\n\n\nthrow new Error("first line\\nsecond");', "line 4: first line"],
    ["throw 5;", "thrown: 5"],
  ])("say in one line what is wrong with %j", async (code, fault) => {
    const program = new Program(library);
    const error: unknown = await program.run(1, code).then(
      () => undefined,
      (error: unknown) => error,
    );
    expect(faultOf(error, 1)).toMatch(fault);
  });
});

test("values are printed much as Node prints them", () => {
  expect(formatLine(["a", "b c", 1.5, true, undefined, null, 3n])).toBe("a b c 1.5 true undefined null 3n");
  expect(formatLine([[1, "x", [2]], { a: { b: 1 }, c: "d" }])).toBe('[ 1, "x", [ 2 ] ] { a: { b: 1 }, c: "d" }');
  expect(formatLine([new Float32Array(200)])).toMatch(/^Float32Array \[ 0, (0, )*\.\.\. 100 more \]$/);
  expect(formatLine([new Map([["k", 1]]), new Error("no")])).toBe('Map [ [ "k", 1 ] ] Error: no');
});
