import { posix } from "node:path";
import type { SourceFile } from "./imports.ts";

/**
 * The sets of files that each reach all the others of their set by imports, those of types included: the strongly connected
 * components of more than one file (Tarjan 1972).
 */
export function circlesOf(files: readonly SourceFile[]): string[][] {
  const importsOf = new Map(
    files.map(({ path, imports }) => [
      path,
      imports
        .filter(({ specifier }) => specifier.startsWith("."))
        .map(({ specifier }) => posix.join(posix.dirname(path), specifier)),
    ]),
  );
  const numbers = new Map<string, number>();
  /** The first file that each reaches, by number. */
  const lowest = new Map<string, number>();
  const open: string[] = [];
  const circles: string[][] = [];
  const visit = (path: string): number => {
    const number = numbers.size;
    numbers.set(path, number);
    lowest.set(path, number);
    open.push(path);
    for (const target of importsOf.get(path) ?? []) {
      if (!importsOf.has(target)) continue;
      const reached = numbers.has(target) ? (open.includes(target) ? numbers.get(target) : undefined) : visit(target);
      if (reached !== undefined) lowest.set(path, Math.min(lowest.get(path) ?? reached, reached));
    }
    const low = lowest.get(path) ?? number;
    if (low === number) {
      const circle = open.splice(open.indexOf(path));
      if (circle.length > 1 || importsOf.get(path)?.includes(path)) circles.push(circle.toSorted());
    }
    return low;
  };
  for (const path of importsOf.keys()) if (!numbers.has(path)) visit(path);
  return circles;
}
