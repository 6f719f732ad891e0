import { execFile } from "node:child_process";
import { mkdtemp, readFile, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join, posix } from "node:path";
import { fileURLToPath } from "node:url";
import { promisify } from "node:util";
import { parseSync } from "vite";

const root = fileURLToPath(new URL("../../..", import.meta.url));

/** A name that the package exports. */
export interface Export {
  readonly name: string;
  /** The heading in the index that it stands under. */
  readonly group: string;
  /** Of the declaration, within src/. */
  readonly file: string;
  /** Whether it needs files, and is not there in a page. */
  readonly isForNode: boolean;
}

/** How an exported name is declared: overloads in one. */
export interface Declaration {
  /** Markdown, with tags as `@param`. */
  readonly comment: string;
  /** TypeScript without the body, members with their comments. */
  readonly code: string;
}

/** All names that the package exports, as its two index files group them. */
export async function readExports(): Promise<Export[]> {
  const [everywhere, inNode] = await Promise.all([exportsOf("index.ts", false), exportsOf("index.node.ts", true)]);
  // What both have, Node has in a version of its own.
  const names = new Set(everywhere.map(({ name }) => name));
  return [...everywhere, ...inNode.filter(({ name }) => !names.has(name))];
}

async function exportsOf(index: string, isForNode: boolean): Promise<Export[]> {
  const text = await readFile(join(root, "src", index), "utf8");
  const { program, comments } = parseSync(index, text);
  const headings = comments.filter(({ value }) => /^ [A-Z][^.]*$/.test(value));
  return program.body.flatMap((node) => {
    if (node.type !== "ExportNamedDeclaration" || node.source === null) return [];
    const group = headings.findLast(({ end }) => end < node.start)?.value.trim() ?? "More";
    const file = posix.normalize(node.source.value);
    return node.specifiers.map(({ exported }) => ({ name: nameOf(exported), group, file, isForNode }));
  });
}

function nameOf(node: { readonly type: string; readonly name?: string; readonly value?: unknown }): string {
  return node.name ?? String(node.value);
}

/**
 * Declarations of exported names, as the compiler writes them for users of the package.
 *
 * @throws Error naming the exports that are declared elsewhere than the index says
 */
export async function readDeclarations(exports: readonly Export[]): Promise<Map<string, Declaration>> {
  const folder = await mkdtemp(join(tmpdir(), "unnoise-declarations-"));
  try {
    const tsc = join(root, "node_modules", "typescript", "bin", "tsc");
    const args = [tsc, "-p", "tsconfig.build.json", "--emitDeclarationOnly", "--outDir", folder];
    await promisify(execFile)(process.execPath, args, { cwd: root });
    const files = [...new Set(exports.map(({ file }) => file))];
    const read = async (file: string) => {
      const text = await readFile(join(folder, file.replace(/\.ts$/, ".d.ts")), "utf8");
      return [file, declarationsIn(file, text)] as const;
    };
    const byFile = new Map(await Promise.all(files.map(read)));
    const rows = exports.map(({ name, file }) => [name, byFile.get(file)?.get(name)] as const);
    const missing = rows.filter(([, declaration]) => declaration === undefined).map(([name]) => name);
    if (missing.length > 0)
      throw new Error(`API reference: no declaration of ${missing.join(", ")} where it is said to be`);
    return new Map(rows as readonly (readonly [string, Declaration])[]);
  } finally {
    await rm(folder, { recursive: true });
  }
}

function declarationsIn(file: string, text: string): Map<string, Declaration> {
  const { program, comments } = parseSync(file, text, { lang: "dts" });
  const found = new Map<string, Declaration>();
  let end = 0;
  for (const node of program.body) {
    const before = comments.findLast((comment) => comment.start >= end && comment.end <= node.start);
    end = node.end;
    if (node.type !== "ExportNamedDeclaration" || node.declaration === null) continue;
    const { declaration } = node;
    const ids = declaration.type === "VariableDeclaration" ? declaration.declarations : [declaration];
    const code = text
      .slice(declaration.start, declaration.end)
      .replace(/^declare /, "")
      .replaceAll("    ", "  ");
    for (const { id } of ids) {
      const name = id !== null && "name" in id ? id.name : "";
      const other = found.get(name);
      const comment = before?.value.startsWith("*") === true ? plain(before.value) : "";
      found.set(name, {
        comment: [other?.comment ?? "", comment].filter(Boolean).join("\n\n"),
        code: other === undefined ? code : `${other.code}\n${code}`,
      });
    }
  }
  return found;
}

/** The text of a comment without its stars. */
function plain(comment: string): string {
  return comment
    .slice(1)
    .split("\n")
    .map((line) => line.replace(/^\s*\* ?/, ""))
    .join("\n")
    .trim();
}
