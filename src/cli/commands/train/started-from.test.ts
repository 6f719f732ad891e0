import { mkdir, readFile, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { describe, expect, test } from "vitest";
import { Workspace, expectOneLine, tinyTraining } from "../../../../test/support/workspace.ts";
import { encodePng } from "../../../io/images/images.node.ts";

const workspace = new Workspace("started-from");
const withoutTimesteps = tinyTraining.replace("--timesteps 20 ", "");

describe("unnoise train --from", () => {
  test("starts from the weights of another run, whose network it takes over", async () => {
    await workspace.unnoise("train", tinyTraining, "--steps 2 --objective predV --out first");
    const { code, stdout, stderr } = await workspace.unnoise(
      "train --data ramps-idx3-ubyte --batch-size 4 --steps 3 --samples 2 --device reference",
      "--from first --validation-split 0.25 --optimizer adamw --weight-decay 0.1 --out second",
    );
    expect(stderr).toBe("");
    expect(code).toBe(0);
    expect(stdout).toMatch(/step 3 {2}loss of held-out images \d\.\d{4}/);
    const described = await workspace.unnoise("info second --device reference");
    const before = await workspace.unnoise("info first --device reference");
    const networkOf = (text: string) => /^network .*$/m.exec(text)?.[0];
    expect(networkOf(described.stdout)).toBe(networkOf(before.stdout));
    expect(described.stdout).toMatch(/predV/);
    expect(described.stdout).toMatch(/optimizer {2}AdamW/);
    const other = await workspace.unnoise("train --from first --dim 8 --out third");
    expect(other.stderr).toMatch(/--dim: the network is that of --from\n$/);
    expect(other.code).toBe(1);
  });

  test.each([
    ["rectifiedFlow", "--diffusion rectifiedFlow --shift 2", { kind: "rectifiedFlow", shift: 2 }],
    ["edm", "--diffusion edm --sigma-data 0.25", { kind: "edm", sigmaData: 0.25 }],
    ["gaussian", "--timesteps 7 --schedule sigmoidJabri", { timesteps: 7, betaSchedule: "sigmoidJabri" }],
  ])("takes over how the weights were trained, where a preset says otherwise: %s", async (kind, flags, diffusion) => {
    const shapes = workspace.file("shapes");
    await mkdir(shapes, { recursive: true });
    const picture = await encodePng({ width: 8, height: 8, channels: 1, data: new Uint8Array(64).fill(200) });
    await writeFile(join(shapes, "one.png"), picture);
    await workspace.unnoise("train", withoutTimesteps, `--steps 1 ${flags} --out learned-${kind}`);
    const { stderr } = await workspace.unnoise(
      "train --data shapes --batch-size 1 --steps 1 --samples 1 --device reference",
      `--from learned-${kind} --out tuned-${kind}`,
    );
    expect(stderr).toBe("");
    const recorded: unknown = JSON.parse(await readFile(workspace.file(`tuned-${kind}/config.json`), "utf8"));
    expect(recorded).toMatchObject({ command: { preset: "photos", diffusion } });
    const another = ["edm", "rectifiedFlow"].find((name) => name !== kind);
    await expectOneLine(workspace, [
      `train --from learned-${kind} --diffusion ${another} --out tuned-otherwise`,
      1,
      new RegExp(`--diffusion: must be that of --from, ${kind}, got ${another}\n$`),
    ]);
  });
});
