// Compiles the programs that a page will run while its site is built, so that pages need not:
//   node_modules/.bin/node --conditions unnoise-source examples/compile-ahead.ts
import { mkdir, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { compileAhead, diffusionFromCheckpoint, modelFromCheckpoint, openCheckpoint } from "unnoise";

const { checkpoint } = await openCheckpoint("runs/fashion-mnist");
const model = await modelFromCheckpoint(checkpoint);
const diffusion = diffusionFromCheckpoint(checkpoint);
const files = await compileAhead(async (backend) => {
  await diffusion.sample(model, { batchSize: 16, imageSize: 28, steps: 1, backend });
});
await mkdir("dist/programs", { recursive: true });
for (const [name, bytes] of files) await writeFile(join("dist/programs", name), bytes);
console.log(`dist/programs: ${files.size} files`);
