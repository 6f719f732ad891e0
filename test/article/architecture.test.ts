import { readFileSync, readdirSync } from "node:fs";
import { posix } from "node:path";
import { fileURLToPath } from "node:url";
import { expect, test } from "vitest";
import { importsOf } from "../support/imports.ts";

const web = fileURLToPath(new URL("../../web", import.meta.url));
const files = readdirSync(web, { recursive: true, encoding: "utf8" })
  .map((path) => path.replaceAll("\\", "/"))
  .filter((path) => /\.tsx?$/.test(path) && !/\.test\.ts$|\.d\.ts$/.test(path))
  .map((path) => ({ path, imports: importsOf(readFileSync(posix.join(web, path), "utf8"), path) }));

/** Run in Node, when the site is built. */
const isForBuilding = (path: string): boolean => /^article\/(site\/|vite\.config|.*\.node\.)/.test(path);

const crossing = (isWrong: (from: string, target: string) => boolean): string[] =>
  files.flatMap(({ path, imports }) =>
    imports
      .filter(({ specifier }) => specifier.startsWith("."))
      .map(({ specifier }) => posix.join(posix.dirname(path), specifier))
      .filter((target) => isWrong(path, target))
      .map((target) => `${path} imports ${target}`),
  );

test("pages import the library by its name alone", () => {
  expect(files.length).toBeGreaterThan(30);
  expect(crossing((from, target) => target.startsWith("..") && !isForBuilding(from))).toEqual([]);
});

test("the kit knows no page, and pages know nothing of what builds them", () => {
  expect(crossing((from, target) => from.startsWith("kit/") && !target.startsWith("kit/"))).toEqual([]);
  expect(crossing((from, target) => isForBuilding(target) && !isForBuilding(from))).toEqual([]);
});
