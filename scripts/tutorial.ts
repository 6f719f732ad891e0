// Runs the code cells of docs/tutorial/, and writes what they print and draw into it: node scripts/tutorial.ts [part ...]
import { copyFile, mkdir, mkdtemp, readFile, readdir, rm, symlink, writeFile } from "node:fs/promises";
import { execFile } from "node:child_process";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { fileURLToPath, pathToFileURL } from "node:url";
import { promisify } from "node:util";

const root = fileURLToPath(new URL("..", import.meta.url));
const folder = join(root, "docs", "tutorial");

/** A block of TypeScript, and the block of text after it, if there is one: what it prints. */
export interface Cell {
  readonly code: string;
  readonly printed: string | undefined;
}

/** A part of the tutorial. Its cells are one program. */
export interface Part {
  readonly name: string;
  readonly cells: readonly Cell[];
  /** Files that its pictures show. */
  readonly figures: readonly string[];
}

const CELL = /^```ts\n([^]*?)^```\n(?:\n```text\n([^]*?)^```\n)?/gm;
const FIGURE = /!\[[^\]]*\]\(figures\/([\w.-]+)\)/g;

export async function partNames(): Promise<string[]> {
  return (await readdir(folder)).filter((name) => name.endsWith(".md")).toSorted();
}

export async function readPart(name: string): Promise<Part> {
  const text = await readFile(join(folder, name), "utf8");
  const cells = [...text.matchAll(CELL)].map((match) => ({ code: match[1], printed: match.at(2) }));
  return { name, cells, figures: [...text.matchAll(FIGURE)].map(([, figure]) => figure) };
}

export const figurePath = (figure: string): string => join(folder, "figures", figure);

/** A folder in which programs find the package `unnoise` as one that installed it does. */
export async function makeProject(): Promise<string> {
  const project = await mkdtemp(join(tmpdir(), "unnoise-tutorial-"));
  await mkdir(join(project, "node_modules"));
  await symlink(root, join(project, "node_modules", "unnoise"), "junction");
  await symlink(join(root, "data"), join(project, "data"), "junction");
  await writeFile(join(project, "package.json"), JSON.stringify({ type: "module" }));
  return project;
}

/** Between what two cells print. */
const BETWEEN = "\u001e";

/** The program of a part, for the type checker and for Node. */
export function programOf({ cells }: Part): string {
  return cells.map(({ code }) => `${code}process.stdout.write("${BETWEEN}");\n`).join("");
}

/**
 * Runs a part in a project. Its pictures are there afterwards.
 *
 * @returns what each cell prints
 * @throws Error with what the program says on standard error, if it fails
 */
export async function runPart(part: Part, project: string): Promise<string[]> {
  const program = part.name.replace(/\.md$/, ".ts");
  await writeFile(join(project, program), programOf(part));
  const args = ["--conditions", "unnoise-source", "--disable-warning=ExperimentalWarning", program];
  const { stdout } = await promisify(execFile)(process.execPath, args, { cwd: project }).catch(
    ({ stderr }: { stderr: string }) => {
      throw new Error(`${part.name}: ${stderr}`);
    },
  );
  return stdout.split(BETWEEN).slice(0, -1);
}

/** Writes what cells print, and what they draw, where the part shows it. */
async function update(name: string): Promise<void> {
  const part = await readPart(name);
  const project = await makeProject();
  try {
    const printed = await runPart(part, project);
    let cell = 0;
    const text = await readFile(join(folder, name), "utf8");
    const updated = text.replace(CELL, (_, code: string) => {
      const output = printed[cell++];
      return `\`\`\`ts\n${code}\`\`\`\n${output === "" ? "" : `\n\`\`\`text\n${output}\`\`\`\n`}`;
    });
    await writeFile(join(folder, name), updated);
    for (const figure of part.figures) await copyFile(join(project, figure), figurePath(figure));
    process.stdout.write(`${name}: ${part.cells.length} cells, ${part.figures.length} pictures\n`);
  } finally {
    await rm(project, { recursive: true });
  }
}

if (import.meta.url === pathToFileURL(process.argv[1] ?? "").href) {
  const wanted = process.argv.slice(2);
  for (const name of await partNames()) {
    if (wanted.length === 0 || wanted.some((start) => name.startsWith(start))) await update(name);
  }
}
