import { execFile } from "node:child_process";
import { expect, test } from "vitest";

/** An answer is at hand when the worker is stopped: it is read while the worker ends. */
const program = `
  import { startWorker } from ${JSON.stringify(new URL("platform.node.ts", import.meta.url).href)};
  const memory = new WebAssembly.Memory({ initial: 1, maximum: 1, shared: true });
  const worker = startWorker();
  await worker.send({ kind: "memory", memory });
  void worker.send({ kind: "memory", memory });
  Atomics.wait(new Int32Array(memory.buffer), 0, 0, 200);
  await worker.stop();
  console.log("stopped");
`;

test("a process lives until a worker that it stops has ended, whatever answers come meanwhile", async () => {
  const outcome = await new Promise((resolve) => {
    execFile(process.execPath, ["--eval", program], (error, stdout, stderr) => resolve([error?.code, stdout, stderr]));
  });
  expect(outcome).toEqual([undefined, "stopped\n", ""]);
});
