import { existsSync } from "node:fs";
import { mkdir, readFile, readdir, rm, truncate, writeFile } from "node:fs/promises";
import { beforeAll, describe, expect, test } from "vitest";
import { runUnnoise } from "../../../../test/support/command.ts";
import type { Outcome } from "../../../../test/support/command.ts";
import { Workspace, tinyTraining } from "../../../../test/support/workspace.ts";
import { metricsLine } from "../../../checkpoint/metrics.ts";
import { readSafetensors } from "../../../io/safetensors/safetensors.node.ts";

const workspace = new Workspace("resume");

describe("a run that unnoise train goes on with", { timeout: 120_000 }, () => {
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

  test("takes flags for those of the run's own kind of diffusion, whatever the default preset's", async () => {
    const train = `train --out by-noise-levels --samples 2 --device reference`;
    const own = tinyTraining.replace("--timesteps 20 ", "").replace(/--(samples|device) \S+/g, "");
    await workspace.unnoise(train, own, "--diffusion edm --steps 1");
    const same = await workspace.unnoise(train, "--steps 2 --sigma-data 0.5");
    expect([same.stderr, same.code]).toEqual(["", 0]);
    const other = await workspace.unnoise(train, "--steps 3 --sigma-data 0.25");
    expect(other.stderr).toMatch(/a checkpoint of another run, .*: diffusion.sigmaData is 0.5 there and 0.25 here/);
    const foreign = await workspace.unnoise(train, "--steps 3 --timesteps 10");
    expect(foreign.stderr).toMatch(/--timesteps: is not for --diffusion edm\n$/);
  });

  test("keeps runs on other data apart", async () => {
    await workspace.unnoise("train", tinyTraining, "--steps 1 --sample-every 0 --out runs/fashion-mnist");
    const other = await workspace.unnoise("train", "--data mnist --steps 1");
    await rm(workspace.file("runs"), { recursive: true });
    expect(other.stderr).toBe(
      "unnoise: runs/fashion-mnist is a run on ramps-idx3-ubyte, not mnist: name another --out\n",
    );
  });

  test("stops at Ctrl-C with a checkpoint, and the same command gives what one run would have given", async () => {
    const command = `train ${tinyTraining} --steps 12 --save-every 100 --sample-every 0`;
    const { code, stdout } = await workspace.whileRunning(`${command} --out stopped`, "step 1/12", (kill) =>
      kill("SIGINT"),
    );
    expect(code).toBe(130);
    expect(stdout).toContain("Stopping after this step");
    const step = Number(/Stopped at step (\d+) with a checkpoint in stopped/.exec(stdout)?.[1]);
    expect(step).toBeLessThan(12);
    expect(await readdir(workspace.file("stopped", "checkpoints"))).toEqual([`step-${step}.safetensors`]);

    const rest = await workspace.unnoise(command, "--out", "stopped");
    expect(rest.stdout).toContain(`going on from step ${step}`);
    await workspace.unnoise(command, "--out", "unstopped");
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

  test("refuses a second training in the directory of the first, which goes on undisturbed", async () => {
    const command = `train ${tinyTraining} --sample-every 0 --save-every 1 --steps 12 --out shared`;
    let second: Outcome | undefined;
    const first = await workspace.whileRunning(command, "step 1/12", async (kill) => {
      kill("SIGSTOP");
      second = await workspace.unnoise(command);
      kill("SIGCONT");
    });
    expect(second?.code).toBe(1);
    expect(second?.stderr).toMatch(/^unnoise: shared: process \d+ is training there: wait until it ends[^\n]*\n$/);
    expect([first.code, first.stderr]).toEqual([0, ""]);
    expect(await workspace.losses("shared")).toHaveLength(12);
    expect(existsSync(workspace.file("shared", "run.lock"))).toBe(false);
  });

  test("goes on where a training was killed, whose temporary files go", async () => {
    const command = `train ${tinyTraining} --sample-every 0 --save-every 1 --steps 12 --out killed`;
    await workspace.whileRunning(command, "step 1/12", (kill) => kill("SIGKILL"));
    expect(existsSync(workspace.file("killed", "run.lock"))).toBe(true);
    await writeFile(workspace.file("killed", "checkpoints", ".step-3.safetensors.0123abcd.tmp"), "half of one");
    const again = await workspace.unnoise(command);
    expect([again.code, again.stderr]).toEqual([0, ""]);
    expect(await workspace.losses("killed")).toHaveLength(12);
    const names = await readdir(workspace.file("killed"), { recursive: true });
    expect(names.filter((name) => /tmp|lock/.test(name))).toEqual([]);
  });

  test("says what flags change, and allows another batch size", async () => {
    await workspace.unnoise("train", tinyTraining, "--steps 3 --sample-every 0 --out changed");
    const flags = "--lr 1e-4 --batch-size 3 --gradient-accumulate-every 2 --steps 6 --flip --out changed";
    const changed = await workspace.unnoise("train", flags, "--device reference");
    expect(changed.stderr).toBe("");
    expect(changed.stdout).toContain(
      "\nchanged --steps 3 -> 6, --flip no -> yes, --batch-size 4 -> 3, --gradient-accumulate-every 1 -> 2, --lr 0.002 -> 0.0001\n",
    );
    expect(await workspace.losses("changed")).toHaveLength(6);
    const same = await workspace.unnoise("train", "--out changed --device reference");
    expect(same.stdout).not.toContain("\nchanged ");
  });

  test("throws averages away only if it is told to", async () => {
    await workspace.unnoise("train", tinyTraining, "--steps 2 --sample-every 0 --out averaged");
    const flags = "--ema-decay 0 --steps 3 --out averaged --device reference";
    const refused = await workspace.unnoise("train", flags);
    expect(refused.stderr).toMatch(/^unnoise: --ema-decay 0: would throw away .*; give --discard-ema too[^\n]*\n$/);
    const { tensors: before } = await readSafetensors(workspace.file("averaged/checkpoints/step-2.safetensors"));
    expect([...before.keys()].some((name) => name.startsWith("ema."))).toBe(true);
    const told = await workspace.unnoise("train", flags, "--discard-ema");
    expect([told.code, told.stderr]).toEqual([0, ""]);
    const { tensors: after } = await readSafetensors(workspace.file("averaged/checkpoints/step-3.safetensors"));
    expect([...after.keys()].some((name) => name.startsWith("ema."))).toBe(false);
  });

  test("finds relative data from another directory, for training and for evaluating", async () => {
    await mkdir(workspace.file("elsewhere"));
    await workspace.unnoise("train", tinyTraining, "--steps 2 --sample-every 0 --out moved");
    const there = workspace.file("elsewhere");
    const flags = ["--device", "reference"];
    const further = await runUnnoise(there, "train", "--out", "../moved", "--steps", "3", ...flags);
    expect(further.stderr).toBe("");
    const named = await runUnnoise(there, "train", "--out", "../moved", "--data", "../ramps-idx3-ubyte", ...flags);
    expect([named.stderr, named.stdout]).toEqual(["", expect.not.stringContaining("changed")]);
    const back = await workspace.unnoise("train", "--out moved --steps 4 --device reference");
    expect(back.stderr).toBe("");
    expect(await workspace.losses("moved")).toHaveLength(4);
    const measured = await runUnnoise(there, "evaluate", "--nll", "2", "--checkpoint", "../moved", ...flags);
    expect(measured.stderr).toBe("");
  });

  test("goes on with the rate that a cosine ended with, by the command it prints", async () => {
    const cosine = `train ${tinyTraining} --lr 1e-3 --lr-schedule cosine --warmup-steps 1 --sample-every 0`;
    const first = await workspace.unnoise(cosine, "--steps 8 --out rated");
    const advised = /Train further: .* (train .*)\n/.exec(first.stdout)?.[1] ?? "";
    expect(advised).toContain("--steps 16 --lr 0.0001 --lr-schedule constant");
    await workspace.unnoise(advised, "--device reference");
    const rates = await ratesOf("rated");
    expect(rates[8] / rates[7]).toBeLessThan(1.1);
    expect(rates[15]).toBe(1e-4);
    await workspace.unnoise(cosine, "--steps 8 --out raised");
    const raised = await workspace.unnoise("train --steps 16 --out raised --device reference");
    expect(raised.stdout).toContain('"--lr 0.0001 --lr-schedule constant" goes on with what it was');
    expect(raised.stdout).toMatch(/the learning rate goes up again from 0.0001 to 0.000\d+: its cosine now ends later/);
  });
});

async function ratesOf(run: string): Promise<number[]> {
  const lines = (await readFile(workspace.file(run, "metrics.jsonl"), "utf8")).trim().split("\n");
  return lines.map((line) => metricsLine.parse(JSON.parse(line)).learningRate);
}
