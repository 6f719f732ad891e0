import { readFileSync } from "node:fs";
import { isBuiltin } from "node:module";
import { posix } from "node:path";
import { expect, test } from "vitest";
import { importsOf } from "../test/support/imports.ts";
import * as browser from "./index.ts";
import * as node from "./index.node.ts";

/** Everything that loads with a file of src/, packages included. */
function loadedWith(entry: string): Set<string> {
  const seen = new Set([entry]);
  for (const path of seen) {
    if (!path.endsWith(".ts")) continue;
    const source = readFileSync(new URL(path, import.meta.url), "utf8");
    for (const { specifier, kind } of importsOf(source, path)) {
      if (kind !== "static") continue;
      seen.add(specifier.startsWith(".") ? posix.join(posix.dirname(path), specifier) : specifier);
    }
  }
  return seen;
}

test("the entry for browsers loads nothing of Node", () => {
  const loaded = [...loadedWith("index.ts")];
  expect(loaded).toContain("training/trainer.ts");
  expect(loaded.filter((name) => name.endsWith(".node.ts") || isBuiltin(name))).toEqual([]);
  expect(loaded.filter((name) => !name.endsWith(".ts")).toSorted()).toEqual(["zod/mini"]);
});

test("the entry for Node loads no large package before it is needed", () => {
  const packages = [...loadedWith("index.node.ts")].filter((name) => !name.endsWith(".ts") && !isBuiltin(name));
  expect(packages).toEqual(["zod/mini"]);
});

test("Node's entry has everything that the browser's has", () => {
  expect(Object.keys(node)).toEqual(expect.arrayContaining(Object.keys(browser)));
  expect(Object.keys(node).length).toBeGreaterThan(Object.keys(browser).length);
});
