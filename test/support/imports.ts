import { readFileSync, readdirSync } from "node:fs";
import { join } from "node:path";
import { Visitor, parseSync } from "vite";

/** One import or re-export, written in any way TypeScript knows. */
export interface ImportEdge {
  readonly specifier: string;
  /** "static" ones load with the file; "dynamic" ones when reached; "type" ones never. */
  readonly kind: "static" | "dynamic" | "type";
}

export interface SourceFile {
  /** Relative to the folder that was walked, with forward slashes. */
  readonly path: string;
  readonly imports: readonly ImportEdge[];
}

export function importsOf(source: string, name = "source.ts"): ImportEdge[] {
  const { program, errors } = parseSync(name, source);
  const [error] = errors;
  if (error !== undefined) throw new Error(`${name}: ${error.message}`);

  const edges: ImportEdge[] = [];
  const add = (specifier: string, kind: ImportEdge["kind"]) => edges.push({ specifier, kind });
  const kindOf = (keyword: "type" | "value" | null | undefined) => (keyword === "type" ? "type" : "static");
  new Visitor({
    ImportDeclaration: ({ source: { value }, importKind }) => add(value, kindOf(importKind)),
    ExportAllDeclaration: ({ source: { value }, exportKind }) => add(value, kindOf(exportKind)),
    ExportNamedDeclaration: ({ source: from, exportKind }) => from && add(from.value, kindOf(exportKind)),
    TSImportType: ({ source: { value } }) => add(value, "type"),
    ImportExpression({ source: from }) {
      if (from.type === "Literal" && typeof from.value === "string") add(from.value, "dynamic");
    },
  }).visit(program);
  return edges;
}

export function sourceFilesUnder(folder: string): SourceFile[] {
  return readdirSync(folder, { recursive: true, encoding: "utf8" })
    .filter((path) => path.endsWith(".ts"))
    .map((path) => ({
      path: path.replaceAll("\\", "/"),
      imports: importsOf(readFileSync(join(folder, path), "utf8"), path),
    }));
}
