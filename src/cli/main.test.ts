import { readdir, writeFile } from "node:fs/promises";
import { describe, expect, test } from "vitest";
import { Workspace, expectOneLine } from "../../test/support/workspace.ts";

const workspace = new Workspace("main");

describe("unnoise", { timeout: 30_000 }, () => {
  test("explains itself", async () => {
    const { stdout, code } = await workspace.unnoise("--help");
    expect(code).toBe(0);
    for (const name of ["train", "sample", "interpolate", "noise", "info", "export", "parity"])
      expect(stdout).toMatch(new RegExp(`^ +${name} `, "m"));
    const train = await workspace.unnoise("train", "--help");
    expect(train.stdout).toContain("Examples:");
    expect(train.stdout).toContain("--batch-size");
    expect((await workspace.unnoise("--version")).stdout).toMatch(/^\d+\.\d+\.\d+\n$/);
  });

  test("explains itself on stderr, with exit code 2, where no command is named", async () => {
    const { stderr, code } = await workspace.unnoise("");
    expect(stderr).toMatch(/^Usage: unnoise/);
    expect(code).toBe(2);
  });

  test("keeps what Node makes of its code in the cache directory, and does without where it cannot", async () => {
    const { stdout } = await workspace.unnoise("noise --help");
    expect(await readdir(workspace.file("cache", "code"))).not.toEqual([]);
    expect(await workspace.unnoise("noise --help")).toMatchObject({ code: 0, stdout, stderr: "" });
    const unwritable = new Workspace("main-without-cache");
    await writeFile(unwritable.file("cache"), "no directory");
    expect(await unwritable.unnoise("noise --help")).toMatchObject({ code: 0, stdout, stderr: "" });
  });

  test("refuses a command that it does not know in one line", async () => {
    await expectOneLine(workspace, ["frobnicate", 2, /unknown command 'frobnicate'/]);
  });
});
