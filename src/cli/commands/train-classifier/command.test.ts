import { mkdir } from "node:fs/promises";
import { expect, test } from "vitest";
import { Workspace } from "../../../../test/support/workspace.ts";
import { readClassifier } from "../../../evaluation/features/classifier-file.node.ts";
import { loadSharp } from "../../../io/images/images.node.ts";

const workspace = new Workspace("train-classifier");

async function pictures(folder: string, colours: Readonly<Record<string, string>>): Promise<void> {
  const sharp = await loadSharp();
  for (const [name, background] of Object.entries(colours)) {
    await mkdir(workspace.file(folder, name), { recursive: true });
    for (const file of ["1.png", "2.png"]) {
      const create = { width: 16, height: 8, channels: 3, background } as const;
      await sharp({ create })
        .png()
        .toFile(workspace.file(folder, name, file));
    }
  }
}

test.each([
  ["coloured", { warm: "red", cold: "blue" }, "", /images of 16 x 8 in colour/, { width: 16, height: 8, channels: 3 }],
  ["gray", { dark: "#111", light: "#eee" }, "", /images of 16 x 8 in gray/, { width: 16, height: 8, channels: 1 }],
  ["cut", { warm: "red", cold: "blue" }, "--image-size 8 --channels 1", /8 x 8 in gray/, { width: 8, channels: 1 }],
] as const)("a classifier's size and channels are those of %s images, or of flags", async (...row) => {
  const [name, colours, flags, line, size] = row;
  await pictures(name, colours);
  const { stdout, stderr } = await workspace.unnoise(
    `train-classifier --data ${name} --epochs 1 --batch-size 2 --device reference --out ${name}.safetensors ${flags}`,
  );
  expect(stderr).toBe("");
  expect(stdout).toMatch(line);
  expect((await readClassifier(workspace.file(`${name}.safetensors`))).options).toMatchObject(size);
});
