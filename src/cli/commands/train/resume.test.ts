import { spawn } from "node:child_process";
import { once } from "node:events";
import { existsSync } from "node:fs";
import { readFile, readdir, rm, truncate } from "node:fs/promises";
import { beforeAll, describe, expect, test } from "vitest";
import { commandEnvironment, commandPath } from "../../../../test/support/command.ts";
import { Workspace, tinyTraining, words } from "../../../../test/support/workspace.ts";

const workspace = new Workspace("resume");

describe("a run that unnoise train goes on with", { timeout: 60_000 }, () => {
  beforeAll(async () => {
    await workspace.unnoise("train", tinyTraining, "--steps 5 --out whole");
  }, 60_000);

  test("says that a run is finished, and takes it further", async () => {
    const again = await workspace.unnoise("train", "--out whole --device reference");
    expect(again.code).toBe(0);
    expect(again.stdout).toContain("Finished: 5 steps are done, 5 were asked for.");
    expect(again.stdout).toContain("train --out whole --steps 10");
    expect(again.stdout).not.toContain("Drawing");
    await rm(workspace.file("whole", "denoising.gif"));
    const redrawn = await workspace.unnoise("train", "--out whole --device reference");
    expect(redrawn.stdout).toContain("Drawing 4 images");
    expect(existsSync(workspace.file("whole", "denoising.gif"))).toBe(true);
    const further = await workspace.unnoise("train", "--out whole --device reference --steps 6");
    expect(further.stdout).toContain("going on from step 5");
    expect(await workspace.losses("whole")).toHaveLength(6);
  });

  test("refuses settings that the run was not begun with", async () => {
    const wider = await workspace.unnoise("train", "--out whole --device reference --steps 9 --dim 8");
    expect(wider.code).toBe(1);
    expect(wider.stderr).toMatch(
      /step-6.safetensors: a checkpoint of another run, .*: model.dim is 4 there and 8 here/,
    );
    const other = await workspace.unnoise("train", "--out whole --preset annotated");
    expect(other.stderr).toContain("whole is a run of preset fashion-mnist, not annotated");
    const fresh = await workspace.unnoise("train", "--out whole --no-resume");
    expect(fresh.stderr).toContain("whole holds a run already");
    expect(await workspace.losses("whole")).toHaveLength(6);
  });

  test("keeps runs on other data apart", async () => {
    await workspace.unnoise("train", tinyTraining, "--steps 1 --sample-every 0 --out runs/fashion-mnist");
    const other = await workspace.unnoise("train", "--data . --steps 1");
    await rm(workspace.file("runs"), { recursive: true });
    expect(other.stderr).toBe("unnoise: runs/fashion-mnist is a run on ramps-idx3-ubyte, not .: name another --out\n");
  });

  test("stops at Ctrl-C with a checkpoint, and the same command gives what one run would have given", async () => {
    const command = ["train", tinyTraining, "--steps 12 --save-every 100 --sample-every 0"];
    const child = spawn(process.execPath, [commandPath, ...command.flatMap(words), "--out", "stopped"], {
      cwd: workspace.path,
      env: commandEnvironment(workspace.path),
    });
    let stdout = "";
    child.stdout.setEncoding("utf8").on("data", (text: string) => {
      stdout += text;
      if (text.includes("step 1/12")) child.kill("SIGINT");
    });
    const [code] = (await once(child, "close")) as [number];
    expect(code).toBe(130);
    expect(stdout).toContain("Stopping after this step");
    const step = Number(/Stopped at step (\d+) with a checkpoint in stopped/.exec(stdout)?.[1]);
    expect(step).toBeLessThan(12);
    expect(await readdir(workspace.file("stopped", "checkpoints"))).toEqual([`step-${step}.safetensors`]);

    const rest = await workspace.unnoise(...command, "--out", "stopped");
    expect(rest.stdout).toContain(`going on from step ${step}`);
    await workspace.unnoise(...command, "--out", "unstopped");
    expect(await workspace.losses("stopped")).toEqual(await workspace.losses("unstopped"));
    const final = (run: string) => readFile(workspace.file(run, "samples.png"));
    expect(await final("stopped")).toEqual(await final("unstopped"));
  });

  test("passes over a damaged checkpoint and goes on from the one before", async () => {
    await workspace.unnoise("train", tinyTraining, "--steps 4 --save-every 2 --out torn");
    await truncate(workspace.file("torn", "checkpoints", "step-4.safetensors"), 3000);
    const { code, stdout } = await workspace.unnoise("train", "--out torn --device reference");
    expect(code).toBe(0);
    expect(stdout).toMatch(/passed over \S+step-4.safetensors: damaged/);
    expect(stdout).toContain("going on from step 2");
    expect(await workspace.losses("torn")).toHaveLength(4);
  });
});
