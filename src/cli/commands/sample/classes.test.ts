import { mkdir, readFile, readdir, writeFile } from "node:fs/promises";
import { beforeAll, describe, expect, test } from "vitest";
import { idxImages } from "../../../../test/support/idx-images.ts";
import { Workspace, tinyTraining } from "../../../../test/support/workspace.ts";

const workspace = new Workspace("classes");

describe("classes on the command line", { timeout: 120_000 }, () => {
  const labelled = tinyTraining.replace("ramps-idx3-ubyte", "labelled");
  const once = "--num-classes 2 --steps 1 --sample-every 0";
  beforeAll(async () => {
    await mkdir(workspace.file("labelled"));
    await writeFile(workspace.file("labelled", "images-idx3-ubyte"), idxImages(8, 8));
    const labels = Uint8Array.of(0, 0, 8, 1, 0, 0, 0, 8, 0, 1, 0, 1, 0, 1, 0, 1);
    await writeFile(workspace.file("labelled", "labels-idx1-ubyte"), labels);
  });

  test("a class-conditional model draws the class that is asked for, by guidance otherwise", async () => {
    const trained = await workspace.unnoise("train", labelled, once, "--out classes --samples 4");
    expect(trained.stderr).toBe("");
    // Two columns of two rows, one for each class: 8 pixels and 2 around each, enlarged.
    const grid = await workspace.pictureSize("classes", "samples.png");
    expect(grid.width).toBe(grid.height);
    const sample = async (name: string, flags: string) => {
      const outcome = await workspace.unnoise("sample", `--checkpoint classes --seed 1 --out ${name} ${flags}`);
      expect(outcome.stderr).toBe("");
      return readFile(workspace.file(name));
    };
    const rest = "-n 2 --steps 3 --device reference";
    const [first, second] = [await sample("a.png", `--class 0 ${rest}`), await sample("b.png", `--class 1 ${rest}`)];
    expect(second).not.toEqual(first);
    expect(await sample("c.png", `--class 1 --guidance 1 ${rest}`)).toEqual(second);
    expect(await sample("d.png", `--class 1 --guidance 4 --rescale-phi 0.5 ${rest}`)).not.toEqual(second);
    const wrong = await workspace.unnoise("sample", "--checkpoint classes --class 2 --device reference");
    expect(wrong).toMatchObject({ code: 1, stderr: 'unnoise: no class "2". The classes are 0, 1\n' });
  });

  test("without --checkpoint a class is drawn by a run that knows classes, or by the model that comes along", async () => {
    await workspace.unnoise("train", tinyTraining, "--steps 1 --sample-every 0 --out runs/tells-none");
    const drawn = await workspace.unnoise("sample", "--class bag -n 1 --steps 1 --out bag.png --device wasm");
    expect(drawn.stderr).toBe("");
    expect(drawn.stdout).toContain("checkpoint the garments that come with unnoise");
    await workspace.unnoise("train", labelled, "--num-classes 2 --steps 1 --sample-every 0 --out runs/tells-two");
    await workspace.unnoise("train", tinyTraining, "--steps 2 --sample-every 0 --out runs/tells-none");
    const own = await workspace.unnoise("sample", "--class 1 -n 1 --steps 1 --out own.png --device reference");
    expect(own.stdout).toContain("checkpoint runs/tells-two/");
  });

  test("a classifier of noisy images guides a model that knows no classes, and draws nothing itself", async () => {
    await workspace.unnoise("train", labelled, "--steps 1 --sample-every 0 --out plain");
    const preset = "--preset fashion-mnist-noisy-classifier --out classifier";
    const trained = await workspace.unnoise("train", labelled, once, preset);
    expect(trained.stderr).toBe("");
    expect(trained.stdout).toMatch(/It tells the classes of 8 of the images it learned from:\n\d+ % at noise/);
    expect(await readdir(workspace.file("classifier"))).not.toContain("samples.png");
    // The same schedule: that preset's is the default's.
    const rest = "--checkpoint plain --seed 1 --class 1 -n 2 --steps 3 --device reference --classifier classifier";
    const drawn = await workspace.unnoise("sample", `${rest} --guidance 2 --out guided.png`);
    expect(drawn).toMatchObject({ code: 0, stderr: "" });
    const itself = await workspace.unnoise("sample", "--checkpoint classifier --device reference");
    expect(itself.stderr).toContain("a classifier's, which draws no images but guides another model's samples");
    const described = await workspace.unnoise("info", "classifier", "--device", "reference");
    expect(described.stdout).toContain("classes    2: 0, 1");
  });
});
