import { execFile } from "node:child_process";
import { readFile, rm, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { promisify } from "node:util";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { figurePath, makeProject, partNames, programOf, readPart, runPart } from "../scripts/tutorial.ts";
import { loadSharp } from "../src/io/images/images.node.ts";

const root = fileURLToPath(new URL("..", import.meta.url));

/** Numbers that another processor's rounding may change are compared to this share of themselves, or one of the last digit. */
const SHARE = 0.05;
/** Mean difference of two pictures, of 255 levels: what is drawn in many steps carries rounding along. */
const LEVELS = 3;

const NUMBER = /-?\d+(?:,\d{3})*(?:\.\d+)?/g;

/** Texts are equal but for numbers, which are nearly so. */
function expectPrinted(printed: string, shown: string): void {
  expect(printed.replaceAll(NUMBER, "#")).toBe(shown.replaceAll(NUMBER, "#"));
  const numbers = (text: string): string[] => text.match(NUMBER) ?? [];
  for (const [i, text] of numbers(shown).entries()) {
    const wanted = Number(text.replaceAll(",", ""));
    const digit = 10 ** -(text.split(".")[1]?.length ?? 0);
    const got = Number(numbers(printed)[i].replaceAll(",", ""));
    const isWhole = digit === 1 && Math.abs(wanted) > 100;
    expect(Math.abs(got - wanted), `${text} in "${shown.trim()}", got ${got}`).toBeLessThanOrEqual(
      isWhole ? 0 : Math.max(SHARE * Math.abs(wanted), 1.001 * digit),
    );
  }
}

async function pixelsOf(path: string): Promise<Uint8Array> {
  const sharp = await loadSharp();
  return new Uint8Array(await sharp(path, { animated: true }).toColourspace("srgb").raw().toBuffer());
}

describe("the tutorial", { timeout: 240_000 }, async () => {
  let project: string;
  const parts = await Promise.all((await partNames()).map(readPart));
  beforeAll(async () => {
    project = await makeProject();
  });
  afterAll(() => rm(project, { recursive: true }));

  test("has code that the type checker accepts", async () => {
    for (const part of parts) await writeFile(join(project, part.name.replace(/md$/, "ts")), programOf(part));
    const options = { noUnusedLocals: false, typeRoots: [join(root, "node_modules", "@types")] };
    await writeFile(
      join(project, "tsconfig.json"),
      JSON.stringify({ extends: join(root, "tsconfig.json"), compilerOptions: options, include: ["*.ts"] }),
    );
    const tsc = join(root, "node_modules", "typescript", "bin", "tsc");
    const checked = promisify(execFile)(process.execPath, [tsc, "-p", project]);
    expect(await checked.catch(({ stdout }: { stdout: string }) => ({ stdout }))).toMatchObject({ stdout: "" });
  });

  test.each(parts)("$name prints and draws what it shows", async (part) => {
    const printed = await runPart(part, project);
    expect(printed).toHaveLength(part.cells.length);
    for (const [i, { printed: shown = "" }] of part.cells.entries()) expectPrinted(printed[i], shown);
    for (const figure of part.figures) {
      const [drawn, shown] = await Promise.all([join(project, figure), figurePath(figure)].map(pixelsOf));
      expect(drawn.length, figure).toBe(shown.length);
      const difference = drawn.reduce((sum, value, i) => sum + Math.abs(value - shown[i]), 0) / drawn.length;
      expect(difference, figure).toBeLessThan(LEVELS);
    }
  });

  test("is one reading: each part leads to the next, and no file is missing", async () => {
    const start = await readFile(join(root, "docs", "tutorial.md"), "utf8");
    for (const [i, { name, figures }] of parts.entries()) {
      expect(start).toContain(`(tutorial/${name})`);
      const text = await readFile(join(root, "docs", "tutorial", name), "utf8");
      if (i + 1 < parts.length) expect(text).toContain(`](${parts[i + 1].name})`);
      expect(figures.length).toBeGreaterThan(0);
      const links = [...text.matchAll(/\]\((\.\.\/[\w./-]+)\)/g)].map(([, link]) => link);
      for (const link of links) await readFile(join(root, "docs", "tutorial", link));
    }
  });
});
